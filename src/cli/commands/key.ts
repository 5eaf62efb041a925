import type { CommandSpec } from '../call/command-spec.js'

export const keyHelp = `
Backups that leave the machine are encrypted in the age format, for recipients:
public keys that begin with age1. Who has the identity of one of them reads them,
with pgbk (--identity FILE, or PGBK_IDENTITY_FILE) or with age itself.

Examples:
  pgbk key new ~/pgbk-key.txt
  pgbk key show ~/pgbk-key.txt
  pgbk restore latest --from s3://backups/pg --identity ~/pgbk-key.txt
`

export const keyNew: CommandSpec = {
  name: 'key new',
  description: 'write a new identity that decrypts backups, and print its recipient',
  declare: (command) => command.argument('[file]', 'where to (default: pgbk-key.txt)'),
  // A file that is named, for whoever names it.
  standIn: () => undefined,
  async run(call) {
    const { newKey } = await import('../../keys/new-key.js')
    const key = await newKey(call.ids[0], call)
    const { newKeyJson, newKeyText } = await import('../../terminal/views/key-view.js')
    return { json: () => newKeyJson(key), text: (screen) => newKeyText(key, screen) }
  },
  help: `
The file is as age-keygen writes it, and never overwrites another. With -q the
recipient is all that is printed.

A passphrase for it, which pgbk then asks for at the terminal (the plain file may
go when that works):
  age -p -o ~/pgbk-key.age ~/pgbk-key.txt

Examples:
  pgbk key new ~/pgbk-key.txt
`,
}

export const keyShow: CommandSpec = {
  name: 'key show',
  description: 'print the recipients of the identities in a file',
  declare: (command) => command.argument('<file>', 'as pgbk key new, or age-keygen, wrote it'),
  standIn: () => undefined,
  async run(call) {
    const { showKey } = await import('../../keys/show-key.js')
    const key = await showKey(call.ids[0] ?? '', call)
    const { shownKeyJson, shownKeyText } = await import('../../terminal/views/key-view.js')
    return { json: () => shownKeyJson(key), text: () => shownKeyText(key) }
  },
  help: `
Examples:
  pgbk key show ~/pgbk-key.txt
`,
}
