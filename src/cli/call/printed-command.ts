import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { PrintedCommand } from '../../context.js'
import type { ConnectionFlags } from '../../postgres/connection/connection.js'
import { withoutSecrets } from '../../postgres/connection/conninfo.js'
import { shellWord } from '../../text/shell-word.js'
import type { Invocation } from './command-spec.js'

/**
 * Writes commands of pgbk as they are printed for somebody to paste, in any directory: with the root, the configuration and the
 * connection that this command line names. A password is never among them.
 */
export function printedCommand(
  { globals, spec, options, program }: Pick<Invocation, 'globals' | 'spec' | 'options' | 'program'>,
  cwd: string,
): PrintedCommand {
  const connection = takesConnection(spec.name, program) ? connectionWords(options) : []
  const path = (name: string | undefined) => (name === undefined ? undefined : resolve(cwd, name))
  const identities = (globals.identity ?? []).flatMap((file) => wordsOf({ '--identity': path(file) }))
  return (command, { root = globals.root, config = globals.config } = {}) => {
    const words = [
      ...wordsOf({ '-C': path(root), '--config': path(config) }),
      ...identities,
      ...(takesConnection(command, program) ? connection : []),
    ]
    return ['pgbk', command, ...words.map(shellWord)].join(' ')
  }
}

/** @param command its name, and what may follow it. */
function takesConnection(command: string, program: Command): boolean {
  const named = command
    .split(' ')
    .reduce((group, word) => group.commands.find((one) => one.name() === word) ?? group, program)
  return named.options.some(({ long }) => long === '--host')
}

/** @param options those of a command that takes a connection. */
function connectionWords(options: ConnectionFlags): string[] {
  const { dbname, host, port, username } = options
  const named = dbname === undefined ? undefined : withoutSecrets(dbname)
  return wordsOf({ '-d': named, '-h': host, '-p': port, '-U': username })
}

function wordsOf(values: Record<string, string | undefined>): string[] {
  return Object.entries(values).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]))
}
