/** One line of a configuration file. All text is taken byte by byte (latin1): only its server knows the encoding. */
export interface ConfLine {
  /** From 1 on. */
  number: number
  text: string
  /** In small letters, because PostgreSQL makes no difference; undefined where nothing is set, and where nothing is understood. */
  name: string | undefined
  value: string
  /** PostgreSQL would refuse the whole file. */
  isFaulty: boolean
}

const letter = 'A-Za-z_\\x80-\\xff'
const word = `[${letter}][${letter}0-9]*`
/** The longest match counts: a name that goes on in another way is none. */
const name = `(${word}(?:\\.${word})?)(?![${letter}0-9\\-._:/])`
const quoted = "'(?:[^'\\\\\\n]|\\\\[^\\n]|'')*'"
const bareText = `(?!${word}\\.${word}(?![${letter}0-9\\-._:/]))[${letter}][${letter}0-9\\-._:/]*`
const integer = '[-+]?(?:0x[0-9a-fA-F]+|[0-9]+)[a-zA-Z]*'
const real = '[-+]?[0-9]*\\.[0-9]*(?:[Ee][-+]?[0-9]+)?'
const space = '[ \\t\\r]*'
const line = new RegExp(
  `^${space}(?:${name}${space}(?:=${space})?(${quoted}|${bareText}|${integer}|${real})${space})?(?:#[^\\n]*)?$`,
)

/** The lines of a configuration file, by the grammar of src/backend/utils/misc/guc-file.l. */
export function parseConf(text: string): ConfLine[] {
  return text.split('\n').map((one, index) => {
    const found = line.exec(one)
    return {
      number: index + 1,
      text: one,
      name: found?.[1]?.replace(/[A-Z]/g, (capital) => capital.toLowerCase()),
      value: textOf(found?.[2] ?? ''),
      isFaulty: found === null,
    }
  })
}

const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

/** What GUC_scanstr makes of a token; C knows no text behind a NUL. */
function textOf(token: string): string {
  if (!token.startsWith("'")) return token
  const value = token
    .slice(1, -1)
    .replace(/''|\\([0-7]{1,3}|[^\n])/g, (_all, escaped: string | undefined) =>
      escaped === undefined
        ? "'"
        : /^[0-7]/.test(escaped)
          ? String.fromCharCode(Number.parseInt(escaped, 8) & 0xff)
          : (escapes[escaped] ?? escaped),
    )
  return value.split('\0')[0] ?? ''
}

/** The directives that bring in other files, whatever stands behind them. */
export function isInclude({ name: found, text }: ConfLine): boolean {
  const [, first] = new RegExp(`^${space}(${word})`).exec(text) ?? []
  return /^include(_if_exists|_dir)?$/i.test(found ?? first ?? '')
}
