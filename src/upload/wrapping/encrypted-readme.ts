import type { ClearRecord } from '../../catalog/entries/clear-record.js'

/** The README beside an encrypted backup, for whoever has the key and has never heard of pgbk: it tells nothing of the server. */
export function encryptedReadme({ id, encrypted }: ClearRecord): string {
  return `AN ENCRYPTED BACKUP OF A DATABASE CLUSTER
=========================================

Backup       ${id}
Unpacked     about ${encrypted.snapshot_bytes} bytes

Every file here whose name ends in .age is encrypted in the age format. It takes
the program age (https://age-encryption.org; Debian, Fedora, Homebrew: package
age) and the identity, a file with a line that begins with AGE-SECRET-KEY-1, of
one of these recipients:

${encrypted.recipients.map((recipient) => `  ${recipient}`).join('\n')}

HOW TO OPEN IT

In a copy of this directory, with the identity in key.txt:

  for file in *.age wal/*.age; do
    age -d -i key.txt -o "\${file%.age}" "$file" && rm "$file"
  done

README says then what it is, and how to start it. No other software is needed
but what that one names.
`
}
