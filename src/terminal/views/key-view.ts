import type { NewKey } from '../../keys/new-key.js'
import type { ShownKey } from '../../keys/show-key.js'
import { printable, type Screen } from '../screen.js'

export function newKeyJson({ file, recipient }: NewKey): object {
  return { key: { file, recipients: [recipient] } }
}

export function newKeyText({ file, recipient }: NewKey, { quiet, style }: Screen): string {
  if (quiet) return `${recipient}\n`
  return `Wrote an identity to ${printable(file)}, for you alone to read (mode 0600).
Its recipient, which may be known to anybody, is what backups are encrypted for:
  ${style.strong(recipient)}

${style.warning('Without this file nobody can read what is encrypted for it: neither you nor we.')}
If it is lost, so are the backups; whoever else gets it can read them. Keep a
copy of it off this machine and off the server, on paper or in a safe, and
name a second recipient whose identity lies elsewhere. The server that makes
the backups needs the recipient alone.
`
}

export function shownKeyJson(key: ShownKey): object {
  return { key }
}

export function shownKeyText({ recipients }: ShownKey): string {
  return recipients.map((recipient) => `${recipient}\n`).join('')
}
