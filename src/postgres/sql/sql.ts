import { PgbkError } from '../../errors.js'
import { identifier, literal } from './identifier.js'

/**
 * SQL of pgbk's own. Only the tag `sql` makes it, of text that stands in this program's source, and of names and literals that
 * were quoted: a value that came from anywhere else cannot become a part of it. Those go as parameters.
 */
export class Sql<Constant extends boolean = boolean> {
  private constructor(
    readonly text: string,
    /** Whether all of it stands in the source. */
    readonly isConstant: Constant,
  ) {}

  static written(parts: TemplateStringsArray): Sql<true>
  static written(parts: TemplateStringsArray, ...names: Sql[]): Sql
  static written(parts: TemplateStringsArray, ...names: Sql[]): Sql {
    if (!Object.isFrozen(parts) || parts.some((part) => !isHarmless(part)))
      throw new PgbkError('failed', 'SQL of pgbk has a character that it must not have', { cause: parts })
    const text = parts.map((part, index) => `${part}${names[index]?.text ?? ''}`).join('')
    return new Sql(text, names.length === 0)
  }

  /** A name of the server's, quoted. */
  static named(name: string): Sql {
    return new Sql(identifier(name), false)
  }

  /** A text, quoted; for the statements that take no parameters. */
  static quoted(text: string): Sql {
    return new Sql(literal(text), false)
  }
}

/**
 * No backslash: neither psql nor a server, whatever standard_conforming_strings it reports, reads the text in another way, and no
 * command of psql's own stands in it. ASCII: nor does any encoding matter.
 */
function isHarmless(part: string): boolean {
  return /^[\x20-\x5b\x5d-\x7e\n]*$/.test(part)
}

export const sql = Sql.written
