import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execaSync } from 'execa'
import { clearRecordOf, type EncryptedFacts } from '../../src/catalog/entries/clear-record.js'
import type { MadeBackup } from './backup.js'
import { copyOf } from './download.js'
import { run } from './programs.js'
import { aRoot } from './server.js'
import { asUser, isRoot, ordinaryUser } from './users.js'

/** Files of identities, and their recipients. */
export interface KeyFile {
  file: string
  recipient: string
}

/** By age-keygen, for the ordinary user. */
export function aKeyIn(directory: string, name: string): KeyFile {
  const file = join(directory, name)
  const [as = 'age-keygen', ...words] = [...asUser(), 'age-keygen', '-o', file]
  execaSync(as, words)
  return { file, recipient: execaSync('age-keygen', ['-y', file]).stdout }
}

/** What a store would hold of a packed backup, as a root of this machine; every file is encrypted by the age program. */
export async function anEncryptedRoot(backup: MadeBackup, recipients: string[]): Promise<string> {
  const root = await aRoot()
  const copy = copyOf(backup, root)
  const words = recipients.flatMap((recipient) => ['-r', recipient])
  const files: EncryptedFacts['files'] = {}
  for (const name of ['backup.json', 'README', 'snapshot.squashfs', ...walOf(backup)]) {
    const target = join(copy, `${name}.age`)
    mkdirSync(dirname(target), { recursive: true })
    execaSync('age', [...words, '-o', target, join(backup.directory, name)])
    const bytes = readFileSync(target)
    const fact = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
    if (!name.startsWith('wal/')) files[`${name}.age`] = fact
  }
  const { packed } = backup.record
  if (!packed) throw new Error('the backup is not packed')
  const facts = { recipients, image_bytes: packed.bytes, snapshot_bytes: packed.snapshot_bytes, files }
  writeFileSync(join(copy, 'README'), 'Encrypted.\n')
  writeFileSync(join(copy, 'backup.json'), JSON.stringify(clearRecordOf(backup.record, facts)))
  if (isRoot) execaSync('chown', ['-R', `${ordinaryUser.uid}:${ordinaryUser.gid}`, root])
  await run(['chmod', '-R', 'u+rwX,go-rwx', join(root, 'data')])
  return root
}

function walOf({ directory }: MadeBackup): string[] {
  return readdirSync(join(directory, 'wal'))
    .filter((name) => !name.startsWith('.'))
    .map((name) => `wal/${name}`)
}
