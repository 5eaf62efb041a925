import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { aProof } from '../catalog/samples.js'
import { aFile } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { aRoot } from '../helpers/server.js'
import { fingerprint } from '../helpers/tree.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'
import { commandsOfTerminals, hasCommands } from '../terminal/screens.js'
import { aStoredBackup } from '../upload/stored.js'

/** What is wrong with one backup of the store. @param directory its own, with what an honest one has. */
type Plant = (directory: string, precious: string) => void

// biome-ignore lint/suspicious/noExplicitAny: a record that is none
type Odd = any

const edited =
  (edit: (record: Odd) => unknown): Plant =>
  (directory) => {
    const file = join(directory, 'backup.json')
    const record = JSON.parse(readFileSync(file, 'utf8'))
    const text = edit(record)
    writeFileSync(file, typeof text === 'string' ? text : JSON.stringify(record))
  }
const having = (changes: object) => edited((record) => void Object.assign(record, changes))
const note =
  (name: string, content: string): Plant =>
  (directory) =>
    writeFileSync(join(directory, name), content)
const linked =
  (name: string): Plant =>
  (directory, precious) => {
    execaSync('rm', ['-rf', join(directory, name)])
    symlinkSync(precious, join(directory, name))
  }
const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`
const up = '../'.repeat(12)
const evil = `x${commandsOfTerminals}y`
const inName = evil.replace('\r', '')

const plants: Record<string, Plant> = {
  'a label with commands of terminals': having({ label: evil }),
  'words with commands of terminals': edited((record) => {
    Object.assign(record, { superuser: evil, preload_libraries: [evil], skipped: [evil] })
    Object.assign(record.server, {
      version_string: evil,
      system_identifier: evil,
      cluster_name: evil,
      host: evil,
      libc_version: evil,
    })
    record.server.version = `15.18${evil}`
    record.databases[0].name = evil
    record.databases[0].locale = evil
    record.tablespaces[0].location = evil
    record.tablespaces[0].name = evil
    record.extensions[0].name = evil
    record.tools = { pgbk: evil, pg_basebackup: evil, pg_verifybackup: evil }
    record.shared = { with: [evil], bytes: 1 }
    record.wal_forms = [evil]
  }),
  'an id that leads out': having({ id: `${up}tmp/x` }),
  'the id of another': having({ id: '20260101T000000Z' }),
  'names that lead out': edited((record) => {
    record.config_files = [{ path: 'x', copy: `${up}x` }]
    record.own_files = { [`${up}x`]: '0'.repeat(64) }
  }),
  'a size of 1e308': having({ size_bytes: 1e308 }),
  'a negative size': having({ size_bytes: -1 }),
  'the largest sizes': edited((record) => {
    const most = Number.MAX_SAFE_INTEGER
    Object.assign(record, { size_bytes: most, file_count: most, duration_ms: most, pack_saves: most })
    Object.assign(record.packed, { bytes: most, snapshot_bytes: most })
  }),
  'an image of the largest size for the rest': edited((record) => {
    record.packed.bytes = Number.MAX_SAFE_INTEGER
  }),
  'a time far ahead': having({ started_at: '9999-12-31T23:59:59Z', finished_at: '9999-12-31T23:59:59Z' }),
  'LSNs that are far apart': having({
    start_lsn: '0/0',
    checkpoint_lsn: '0/0',
    stop_lsn: 'FFFFFFFF/FFFFFFFF',
  }),
  'small segments, and LSNs that are far apart': having({
    wal_segment_size: 1 << 20,
    start_lsn: '0/28',
    checkpoint_lsn: '0/28',
    stop_lsn: 'FFFFFFFF/FFFFFFFF',
  }),
  'other types': having({ server: [], packed: 'x', tablespaces: {}, databases: null, label: 7 }),
  'no record but a list': edited(() => '[]'),
  'no record but null': edited(() => 'null'),
  'a record nested without end': edited(() => deep),
  'a label nested without end': edited((record) =>
    JSON.stringify({ ...record, label: '@' }).replace('"@"', deep),
  ),
  'two ids': edited((record) => JSON.stringify(record).replace('{', '{"id":"20260101T000000Z",')),
  'a prototype': edited((record) => JSON.stringify(record).replace('{', '{"__proto__":{"format":1},')),
  'a record of 100 MB': (directory) => truncateSync(join(directory, 'backup.json'), 100 << 20),
  'a link in the place of the record': linked('backup.json'),
  'a link in the place of the image': linked('snapshot.squashfs'),
  'a link in the place of the WAL': linked('wal'),
  'a pipe in the place of the image': (directory) => {
    execaSync('rm', [join(directory, 'snapshot.squashfs')])
    execaSync('mkfifo', [join(directory, 'snapshot.squashfs')])
  },
  'a pipe in the place of the record': (directory) => {
    execaSync('rm', [join(directory, 'backup.json')])
    execaSync('mkfifo', [join(directory, 'backup.json')])
  },
  'a hold with commands of terminals': note(
    'hold.json',
    JSON.stringify({ format: 1, since: evil, reason: evil }),
  ),
  'a hold of other types': note('hold.json', '{"format":1,"since":7,"reason":{}}'),
  'a hold nested without end': note('hold.json', deep),
  'a link in the place of the hold': linked('hold.json'),
  'a proof with commands of terminals': (directory) => {
    const backup = directory.slice(-16)
    const faults = [evil, `${evil}\n${evil}`]
    writeFileSync(
      join(directory, 'proof.json'),
      JSON.stringify(aProof({ backup, ok: false, faults, postgres_version: evil })),
    )
  },
  'a proof of 100 MB': (directory) => {
    writeFileSync(join(directory, 'proof.json'), '')
    truncateSync(join(directory, 'proof.json'), 100 << 20)
  },
  'WAL with commands of terminals in its names': (directory) => {
    const names = [inName, `00000002.history`, `000000010000000000000003.${inName}`]
    for (const name of names) writeFileSync(join(directory, 'wal', name), `1\t0/3000000\t${evil}\n`)
  },
  'WAL with line breaks in its names': (directory) => {
    for (const name of ['a\nb', '\n', '000000010000000000000003\n'])
      writeFileSync(join(directory, 'wal', name), 'x')
  },
  'a segment that is a directory, and a file of commands beside the record': (directory) => {
    mkdirSync(join(directory, 'wal/000000010000000000000003/x'), { recursive: true })
    writeFileSync(join(directory, `README${inName}`), evil)
  },
  'WAL of 100 MB in the place of a history and of notes': (directory) => {
    for (const name of ['00000002.history', '.pgbk-window.json', '.pgbk-gap', '.pgbk-segments']) {
      writeFileSync(join(directory, 'wal', name), '')
      truncateSync(join(directory, 'wal', name), 100 << 20)
    }
  },
  'a great many encrypted files': edited((record) => {
    const { id, kind, started_at, finished_at, size_bytes, timeline, start_lsn, stop_lsn } = record
    const { wal_segment_size } = record
    const recipients = ['age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj']
    const file = { bytes: 8, sha256: '0'.repeat(64) }
    const names = Array.from({ length: 100_000 }, (_, index) => [`f${index}`, file])
    names.unshift(['snapshot.squashfs', file])
    return JSON.stringify({
      ...{ format: 3, id, kind, started_at, finished_at, size_bytes, timeline, start_lsn, stop_lsn },
      ...{ wal_segment_size, server: { version: evil, system_identifier: evil } },
      encrypted: { recipients, image_bytes: 8, snapshot_bytes: 8, files: Object.fromEntries(names) },
    })
  }),
}

const good = '20261101T030000Z'
const idOf = (index: number) =>
  `202610${String(1 + (index % 28)).padStart(2, '0')}T0${Math.floor(index / 28)}0000Z`

/** A store with a good backup and such others, a root whose store `far` it is, and a directory that nobody may touch. */
async function aHostileStore(kinds: string[]) {
  const store = aDirectory()
  const outside = aDirectory()
  const precious = join(outside, 'precious')
  mkdirSync(precious)
  writeFileSync(join(precious, 'key'), 'my only copy')
  const root = await aRoot()
  for (const [index, what] of kinds.entries()) {
    const started_at = idOf(index).replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
    const changes = { started_at, finished_at: started_at }
    plants[what]?.(aStoredBackup(store, idOf(index), { changes }), precious)
  }
  for (const place of [store, root]) aStoredBackup(place, good)
  for (const name of [inName, 'a\nb', '.x', '20261102T030000Z']) mkdirSync(join(store, 'data/backup', name))
  symlinkSync(precious, join(store, 'data/backup/20261103T030000Z'))
  writeFileSync(join(store, 'data/backup/20261104T030000Z'), 'x')
  const far = { url: store, retention: { daily: 1 } }
  await aFile(join(root, '.pgbkrc.json'), JSON.stringify({ root, stores: { far } }))
  if (isRoot) execaSync('chown', ['-hR', `${ordinaryUser.uid}:${ordinaryUser.gid}`, store, root, outside])
  const before = fingerprint(precious)
  return {
    store,
    async pgbk(...args: string[]) {
      const { status, stdout, stderr } = await runPgbk(args, { cwd: root })
      const shown = args.includes('--json') ? stderr : stdout + stderr
      expect({ args, shown, has: hasCommands(shown) }).toMatchObject({ has: false })
      expect(stderr).not.toMatch(/unexpected error|^\s+at .*:\d+\)?$/m)
      expect(stderr.split('pgbk: ').length).toBeLessThanOrEqual(2)
      expect(fingerprint(precious)).toBe(before)
      return { status, stdout, stderr }
    },
  }
}

describe('a store that somebody else can write to', () => {
  let world: Awaited<ReturnType<typeof aHostileStore>>
  beforeAll(async () => {
    world = await aHostileStore(Object.keys(plants))
  })

  it.each([
    [['list', '--from', 'far'], 0],
    [['list', '--from', 'far', '--json'], 0],
    [['show', good, '--from', 'far'], 0],
    [['status'], 6],
    [['doctor', '--store', 'far'], 0],
    [['upload', '--to', 'far', '--all'], 0],
    [['verify', '--from', 'far', '--all'], 6],
    [['prune', '--from', 'far', '--dry-run'], 0],
    [['prune', '--from', 'far', '--yes'], 0],
  ])('is looked at by %j', async (args, expected) => {
    const { status, stdout, stderr } = await world.pgbk(...args)
    expect({ status, stderr }).toMatchObject({ status: expected })
    if (args[0] !== 'status' && args[0] !== 'doctor' && args[0] !== 'upload') expect(stdout).toContain(good)
  })
})

describe.each([
  'words with commands of terminals',
  'the largest sizes',
  'a link in the place of the image',
  'a link in the place of the WAL',
  'a hold with commands of terminals',
  'a proof with commands of terminals',
  'WAL with commands of terminals in its names',
  'WAL with line breaks in its names',
])('a stored backup with %s', (kind) => {
  it('ends no command but with one error, and writes nowhere else', async () => {
    const { pgbk } = await aHostileStore([kind])
    const from = [idOf(0), '--from', 'far']
    expect((await pgbk('show', ...from)).status).toBe(0)
    expect((await pgbk('verify', ...from)).status).toBe(6)
    for (const args of [['download'], ['restore', '-D', join(aDirectory(), 'data')]]) {
      const { status, stderr } = await pgbk(...args, ...from)
      expect([1, 2]).toContain(status)
      expect(stderr).toContain('pgbk: ')
    }
  })
})
