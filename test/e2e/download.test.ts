import { existsSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { execaSync } from 'execa'
import type { Settings } from '../../src/config/load.js'
import { download as downloadHere } from '../../src/download/download.js'
import { silentProgress } from '../../src/progress.js'
import { shellWord } from '../../src/text/shell-word.js'
import { aContext } from '../catalog/samples.js'
import { aBackupOf, aTwinOf, entriesBelow, type MadeBackup } from '../helpers/backup.js'
import { copyOf, download, isWhole } from '../helpers/download.js'
import { type Form, forms, formsOnMajors, inForm, inForms } from '../helpers/forms.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, fill } from '../helpers/server.js'
import { anSshHost, type SshHost } from '../helpers/ssh.js'
import { entriesOf } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'
import { ifRoot, ordinaryUser } from '../helpers/users.js'
import { asFound } from '../terminal/screens.js'

const { describe, it } = needs('program sshd')

/** What tells that all has come as it was. */
const verifiedBy: Record<Form, RegExp> = { plain: /^pg_verifybackup/, packed: /^its SHA-256$/ }

let ssh: SshHost
let backups: Record<Form, MadeBackup>
beforeAll(async () => {
  ssh = await anSshHost()
  backups = await inForms(await aFilledBackup(anyMajor))
})

async function aFilledBackup(major: number): Promise<MadeBackup> {
  const server = await aServer({ major })
  await fill(server)
  return aBackupOf(server, { root: await aRoot("it's a root") })
}

describe.each(formsOnMajors())('a %s backup of PostgreSQL %i', (form, major) => {
  it('comes over ssh with all that belongs to it, and starts', async () => {
    const backup = await inForm(form, await aFilledBackup(major))
    const before = fingerprint(backup.directory)
    const to = await aRoot(`to "here" $(now)`)
    const { status, error, json } = await download(`${ssh.host}:${backup.root}`, to, [], { env: ssh.env })
    expect({ status, error }).toEqual({ status: 0, error: undefined })
    expect(json).toMatchObject({
      already_here: false,
      verified_by: expect.stringMatching(verifiedBy[form]),
    })
    expect(json.received_bytes).toBe(sizeOf(backup.directory))
    const copy = copyOf(backup, to)
    const ofImage = form === 'packed' && { form, own_bytes: expect.any(Number) }
    const found = { ...asFound(backup.record), ...ofImage }
    expect(json.backup).toEqual({ ...backup.record, ...found, directory: copy })
    expect(namesIn(copy)).toEqual(namesIn(backup.directory))
    expect(await isWhole(copy, major)).toBe(true)
    expect(fingerprint(backup.directory)).toBe(before)
  })
})

describe.each(forms)('a download of a %s backup', (form) => {
  let backup: MadeBackup
  beforeAll(() => {
    backup = backups[form]
  })

  it('from a directory is a writable copy of its own, with nothing of the download left', async () => {
    const to = await aRoot()
    const { status, json } = await download(backup.root, to)
    expect(status).toBe(0)
    const copy = copyOf(backup, to)
    expect(entriesOf(to)).toEqual(['.catalog.lock', backup.record.id])
    expect(namesIn(copy)).toEqual(namesIn(backup.directory))
    for (const entry of entriesBelow(copy).filter((one) => !one.isSymbolicLink())) {
      const { mode, uid } = statSync(join(entry.parentPath, entry.name))
      expect([entry.name, mode & 0o777, uid]).toEqual([
        entry.name,
        entry.isDirectory() ? 0o700 : 0o600,
        ordinaryUser.uid,
      ])
    }
    for (const { oid } of form === 'plain' ? backup.record.tablespaces : [])
      expect(readlinkSync(join(copy, `snapshot/data/pg_tblspc/${oid}`))).toBe(`../../tablespaces/${oid}`)
    expect(json.received_bytes).toBe(sizeOf(backup.directory))
    expect(await isWhole(copy, anyMajor)).toBe(true)
  })

  it('says for people what came, how fast, and how to run it', async () => {
    const to = join(await aRoot(), "a root's")
    const args = ['download', backup.record.id, '--from', backup.root, '--to', to]
    const { stdout, stderr } = await runPgbk(args)
    const [, by] =
      /^Backup \d{8}T\d{6}Z: [\d.]+ MB in [\d.]+ s, [\d.]+ \wB\/s, verified by (.*)/.exec(stdout) ?? []
    expect(by).toMatch(verifiedBy[form])
    expect(stdout).toContain(`\n  ${copyOf(backup, to)}\n`)
    expect(stdout).toContain(`pgbk local-run ${backup.record.id} -C '${to.replace("'", `'\\''`)}'`)
    expect(stderr).toBe('copying\nverifying')
  })

  it('of what is here already and whole says so, and changes nothing', async () => {
    const to = await aRoot()
    await download(backup.root, to)
    const before = fingerprint(copyOf(backup, to))
    const again = await download(backup.root, to)
    expect(again).toMatchObject({ status: 0, json: { already_here: true, received_bytes: 0 } })
    const { stdout } = await runPgbk(['download', 'latest', '--from', backup.root, '-C', to])
    expect(stdout).toContain('is here already, and whole')
    expect(stdout).toContain(`pgbk local-run ${backup.record.id} -C ${to}`)
    expect(fingerprint(copyOf(backup, to))).toBe(before)
  })

  it('leaves what another one has brought meanwhile', async () => {
    const to = await aRoot()
    const copy = copyOf(backup, to)
    const others = () => execaSync('cp', ['-a', backup.directory, copy])
    const step = (text: string) => void (text === 'verifying' && others())
    const context = aContext({ progress: { ...silentProgress, step } })
    const settings = { root: to, bin_dir: undefined, run_as: 'postgres', stores: {} } as Settings
    await downloadHere(backup.record.id, { from: backup.root }, { settings, context })
    expect(statSync(join(copy, 'backup.json')).mtimeMs).toBe(
      statSync(join(backup.directory, 'backup.json')).mtimeMs,
    )
    expect(entriesOf(to)).toEqual(['.catalog.lock', backup.record.id])
  })

  it.each([form === 'plain' ? 'snapshot/data/global/pg_control' : 'snapshot.squashfs', 'backup.json'])(
    'replaces one that lacks %s',
    async (name) => {
      const to = await aRoot()
      await download(backup.root, to)
      const file = join(copyOf(backup, to), name)
      rmSync(file)
      const refused = await download(backup.root, to)
      expect(refused.error.message).toMatch(/is here already, but (incomplete|it has no record)/)
      expect(await download(backup.root, to, ['--replace'])).toMatchObject({ status: 0 })
      expect(existsSync(file)).toBe(true)
      expect(entriesOf(to)).toEqual(['.catalog.lock', backup.record.id])
    },
  )

  it.each(['directory', 'symbolic link'])('into its own root, named by a %s, is refused', async (kind) => {
    const place = kind === 'directory' ? backup.root : join(await aRoot(), 'link')
    if (place !== backup.root) await run(['ln', '-s', backup.root, place])
    const { status, error } = await download(backup.root, place)
    expect(status).toBe(2)
    expect(error.message).toContain(`the same: ${backup.root} is ${place}`)
  })

  it('with --to alone is from the root, or from the source of the configuration', async () => {
    const first = await aRoot()
    const words = ['download', 'latest', '--to', first, '--json']
    expect((await runPgbk([...words, '-C', backup.root])).status).toBe(0)
    const second = await aRoot()
    const env = { PGBK_SOURCE: first }
    const { status, stdout } = await runPgbk(['download', 'latest', '-C', second, '--json'], { env })
    expect({ status, source: JSON.parse(stdout).source }).toEqual({ status: 0, source: first })
  })

  it('of another cluster is refused, unless that is meant', async () => {
    const to = await aRoot()
    await download(backup.root, to)
    const other = await aBackupOf(await aServer({ major: anyMajor }))
    const refused = await download(other.root, to)
    expect(refused).toMatchObject({ status: 2, error: { code: 'wrong-cluster' } })
    for (const text of [backup.record, other.record].map(({ server }) => server.system_identifier))
      expect(refused.error.message).toContain(text)
    expect(await download(other.root, to, ['--new-cluster'])).toMatchObject({ status: 0 })
  })

  it('without WAL brings what the snapshot needs, and no more', async () => {
    const twin = await aTwinOf(backup, '20250101T000000Z')
    const wal = join(twin.directory, 'wal')
    const own = readdirSync(wal)
    await run(['cp', join(wal, own[0] ?? ''), join(wal, '0000000100000000000000F0')])
    await run(['sh', '-c', 'echo 1 > "$1"', '-', join(wal, '00000002.history')])
    const [all, some] = [await aRoot(), await aRoot()]
    for (const [to, args] of [
      [all, []],
      [some, ['--no-wal']],
    ] as [string, string[]][])
      await runPgbk(['download', twin.record.id, '--from', backup.root, '-C', to, ...args])
    const walOf = (root: string) => readdirSync(join(copyOf(twin, root), 'wal')).sort()
    expect(walOf(all)).toEqual([...own, '0000000100000000000000F0', '00000002.history'].sort())
    expect(walOf(some)).toEqual([...own, '00000002.history'].sort())
    await run(['rm', '-r', twin.directory])
  })

  ifRoot('started by root belongs to the user run_as', async () => {
    const to = join(await aRoot(), 'new')
    const { status } = await download(`${ssh.host}:${backup.root}`, to, [], { env: ssh.env, asRoot: true })
    expect(status).toBe(0)
    const { uid } = statSync(join(copyOf(backup, to), 'backup.json'))
    expect(uid).toBe(ordinaryUser.uid)
  })
})

describe('a download of a plain backup', () => {
  let backup: MadeBackup
  beforeAll(() => {
    backup = backups.plain
  })

  it('of one that is used here is refused, unless that is to be replaced', async () => {
    const to = await aRoot()
    await download(backup.root, to)
    const label = join(copyOf(backup, to), 'snapshot/data/backup_label')
    renameSync(label, `${label}.old`)
    const refused = await download(backup.root, to)
    expect(refused).toMatchObject({ status: 1, error: { code: 'failed' } })
    expect(refused.error.hint).toContain('--replace')
    expect((await runPgbk(['hold', backup.record.id, '--reason', 'for the audit', '-C', to])).status).toBe(0)
    expect(await download(backup.root, to, ['--replace'])).toMatchObject({ status: 0 })
    expect(existsSync(label)).toBe(true)
    expect(readFileSync(join(copyOf(backup, to), 'hold.json'), 'utf8')).toContain('for the audit')
    expect(entriesOf(to)).toEqual(['.catalog.lock', backup.record.id])
  })

  it('of one that is used at the source is refused', async () => {
    const { root } = await download(backup.root, await aRoot()).then(({ json }) => ({
      root: join(json.backup.directory, '../../..'),
    }))
    const label = join(copyOf(backup, root), 'snapshot/data/backup_label')
    renameSync(label, `${label}.old`)
    const words = ['download', backup.record.id, '--from', root, '-C', await aRoot(), '--json']
    const { status, stdout } = await runPgbk(words)
    expect(status).toBe(1)
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(/is used/),
    })
  })

  it('without a source is refused', async () => {
    const { status, stdout } = await runPgbk(['download', 'latest', '-C', await aRoot(), '--json'])
    expect(status).toBe(2)
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'usage', hint: expect.stringContaining('--from') })
  })
})

describe.each(forms)('list and show of another root with a %s backup', (form) => {
  let backup: MadeBackup
  beforeAll(() => {
    backup = backups[form]
  })
  const places = () => [backup.root, `${ssh.host}:${backup.root}`]

  it('are those of that root', async () => {
    const here = JSON.parse((await runPgbk(['list', '-C', backup.root, '--json'])).stdout)
    for (const from of places()) {
      const { status, stdout } = await runPgbk(['list', '--from', from, '--json'], { env: ssh.env })
      const { backups, source, free_bytes } = JSON.parse(stdout)
      expect({ status, source, free_bytes }).toEqual({ status: 0, source: from, free_bytes: null })
      expect(backups).toHaveLength(1)
      expect({ ...backups[0], directory: '' }).toEqual({ ...here.backups[0], directory: '', window: null })
      const shown = await runPgbk(['show', 'latest', '--from', from, '--json'], { env: ssh.env })
      expect(JSON.parse(shown.stdout).backup).toEqual(backups[0])
    }
  })

  it('name the source, and the download as what comes next', async () => {
    const [, from = ''] = places()
    const list = await runPgbk(['list', '--from', from], { env: ssh.env })
    expect(list.stdout).toMatch(new RegExp(`\\n1 backup, [\\d.]+ MB, in ${from}$`))
    const show = await runPgbk(['show', 'latest', '--from'], { env: { ...ssh.env, PGBK_SOURCE: from } })
    expect(show.stdout).toContain(`pgbk download ${backup.record.id} --from ${shellWord(from)}`)
    expect(show.stdout).not.toContain('pgbk delete')
  })

  it('are what a download that finds none there says to look at, from anywhere', async () => {
    const cwd = await aRoot()
    const args = ['download', '20200101', '--from', relative(cwd, backup.root)]
    const { status, stderr } = await runPgbk(args, { cwd })
    expect(status).toBe(3)
    expect(stderr).toContain(`See those that are there:\n  pgbk list --from ${shellWord(backup.root)}`)
  })
})

it('list and show of another root show in both ways what is no whole backup, and what is used', async () => {
  const backup = backups.plain
  const used = await aTwinOf(backup, '20250101T000000Z')
  await run(['mv', `${used.snapshot}/data/backup_label`, `${used.snapshot}/data/backup_label.old`])
  const broken = await aTwinOf(backup, '20250102T000000Z')
  await run(['sh', '-c', 'echo { > "$1/backup.json"', '-', broken.directory])
  await run(['mkdir', `${backup.root}/data/backup/20250103T000000Z`, `${backup.root}/data/backup/odd\nname`])
  await run(['mkdir', `${backup.root}/data/backup/.20250104T000000Z.partial`])
  const wanted = JSON.parse((await runPgbk(['list', '-C', backup.root, '--json'])).stdout)
  expect(wanted.rejected).toHaveLength(4)
  for (const from of [backup.root, `${ssh.host}:${backup.root}`]) {
    const { backups, rejected } = JSON.parse(
      (await runPgbk(['list', '--from', from, '--json'], { env: ssh.env })).stdout,
    )
    const states = (list: { id: string; state: string }[]) => list.map(({ id, state }) => `${id} ${state}`)
    expect(states(backups)).toEqual(states(wanted.backups))
    expect(new Set(rejected.map(JSON.stringify))).toEqual(new Set(wanted.rejected.map(JSON.stringify)))
  }
})

function namesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true }).map(String).sort()
}

/** All that travels: the record comes with the catalogue. */
function sizeOf(directory: string): number {
  const files = entriesBelow(directory).filter((one) => one.isFile() && one.name !== 'backup.json')
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}
