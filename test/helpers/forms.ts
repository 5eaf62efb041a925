import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from '@jest/globals'
import { aBackupOf, aCopyOf, type BackupOptions, type MadeBackup } from './backup.js'
import type { Ledger } from './ledger.js'
import { type Need, needs } from './needs.js'
import { runPgbk } from './pgbk.js'
import { anyMajor, oldestAndNewest } from './programs.js'
import type { TestServer } from './server.js'
import { isRoot } from './users.js'

/** In which form the snapshot of a backup lies. */
export type Form = 'plain' | 'packed'

type User = 'an ordinary user' | 'root'

const [oldest = anyMajor, newest = oldest] = oldestAndNewest
const packing: Need[] = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse']
const ofPacked = needs(...packing)
const canPack = ofPacked.describe === describe
if (!canPack) ofPacked.it('a packed backup does as a plain one', () => {})

/** For groups of tests of what must not depend on the form of a backup: those that this machine can have, `%s` in the title. */
export const forms: Form[] = canPack ? ['plain', 'packed'] : ['plain']

/** The same on these majors (`%i`), packed on the newest: an image has nothing to do with the major of what is in it. */
export const formsOnMajors = (majors = oldestAndNewest): [Form, number][] => [
  ...majors.map((major): [Form, number] => ['plain', major]),
  ...(canPack ? [['packed', newest] as [Form, number]] : []),
]

/**
 * Groups of tests for each user, and of a packed backup: who has started pgbk has nothing to do with the form. `%s` and `%f` in the title
 * stand for user and form.
 */
export function eachUserAndForm(title: string, define: (user: User, form: Form) => void): void {
  const groups = [
    ['an ordinary user', 'plain'],
    ['root', 'plain'],
    ['an ordinary user', 'packed'],
  ] as const
  for (const [user, form] of groups)
    needs(user, ...(form === 'packed' ? packing : [])).describe(
      title.replace('%s', user).replace('%f', form),
      () => define(user, form),
    )
}

/** The same, one of them on the oldest major, the others on the newest; `%i` in the title stands for it. */
export function eachUserMajorAndForm(
  title: string,
  define: (user: User, major: number, form: Form) => void,
): void {
  const groups = [
    ['an ordinary user', newest, 'plain'],
    [isRoot ? 'root' : 'an ordinary user', oldest, 'plain'],
    ['an ordinary user', newest, 'packed'],
  ] as const
  for (const [user, major, form] of groups)
    needs(user, ...(form === 'packed' ? packing : [])).describe(
      title.replace('%s', user).replace('%i', String(major)).replace('%f', form),
      () => define(user, major, form),
    )
}

/** The backup in this form: itself, or a copy in a root of its own that was packed. */
export async function inForm(form: Form, backup: MadeBackup): Promise<MadeBackup> {
  if (form === 'plain') return backup
  const copy = await aCopyOf(backup)
  const { status, stderr } = await runPgbk(['pack', copy.record.id, '-C', copy.root])
  if (status !== 0) throw new Error(`pack ended with ${status}:\n${stderr}`)
  return { ...copy, record: JSON.parse(readFileSync(join(copy.directory, 'backup.json'), 'utf8')) }
}

/** The backup in each form that this machine can have. */
export async function inForms(plain: MadeBackup): Promise<Record<Form, MadeBackup>> {
  return { plain, packed: canPack ? await inForm('packed', plain) : plain }
}

/** A new backup of a server, in this form. */
export async function aBackupIn(
  form: Form,
  server: TestServer,
  options: BackupOptions = {},
): Promise<MadeBackup> {
  return inForm(form, await aBackupOf(server, options))
}

/** A ledger whose backup has this form. */
export async function ledgerIn(form: Form, ledger: Ledger): Promise<Ledger> {
  const backup = await inForm(form, ledger.backup)
  return { ...ledger, backup, root: backup.root }
}
