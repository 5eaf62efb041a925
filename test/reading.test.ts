import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

/** What opens files by their names. A link, a pipe or a device in the place of a file would be followed, waited for, or read without end. */
const opening = [
  'appendFile',
  'appendFileSync',
  'copyFile',
  'copyFileSync',
  'cp',
  'cpSync',
  'createReadStream',
  'open',
  'openAsBlob',
  'openSync',
  'readFile',
  'readFileSync',
  'truncate',
  'truncateSync',
]

/** Who may do so beside read-small.ts, and why nothing of a root, a backup or a source is read that way. */
const allowed: Record<string, string[]> = {
  'commands/local-run.ts': ['readFileSync'], // --sql: the caller's own file, or /dev/stdin
  'config/trusted-file.ts': ['openSync'], // the configuration, which has rules of its own
  'create/trim-wal.ts': ['open'], // zeros a segment that was copied, and is a file, with O_NOFOLLOW and O_NONBLOCK
  'postgres/local/sockets.ts': ['openSync'], // a directory
  'postgres/programs/fetch-postgres.ts': ['readFile'], // of a package that was checked
  'postgres/programs/find.ts': ['openSync'], // the programs of this machine
  'postgres/programs/install-hint.ts': ['readFileSync'], // /etc/os-release
  'postgres/programs/package-links.ts': ['readFileSync'], // of a package that was checked
  'source/contract/receiver.ts': ['openSync'], // writes, with O_NOFOLLOW
  'source/tar-archive/write-archive.ts': ['open'], // makes the archive, with O_EXCL
  'system/files/copy-file.ts': ['copyFile', 'copyFileSync', 'openSync'], // after it has looked that it is a file; makes empty ones, with O_NOFOLLOW
  'system/files/durable.ts': ['open', 'openSync'], // writes, with O_NOFOLLOW and O_NONBLOCK; opens to flush, and reads nothing
  'system/files/lock-file.ts': ['openSync'], // with O_NOFOLLOW and O_NONBLOCK, and a look that it is a file
  'system/paths/trusted-path.ts': ['readFileSync'], // /etc/group
  'system/process/become.ts': ['openSync'], // this program itself
  'system/process/processes.ts': ['readFileSync'], // /proc
  'version.ts': ['readFileSync'], // package.json
  'wal-archive/receiver-state.ts': ['open'], // writes, with O_NOFOLLOW and O_NONBLOCK
  'wal-reading/desk-directory.ts': ['openSync'], // a directory, with O_NOFOLLOW
  'wal-reading/segment-desk.ts': ['open'], // makes a file in a directory of its own
}

type Sources = Record<string, string>

function sourcesOfPgbk(): Sources {
  const src = fileURLToPath(new URL('../src', import.meta.url))
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]))
}

/** The functions of node:fs that a file imports; `everything` for an import that does not name them. */
function importedBy(text: string): string[] {
  const imports = [...text.matchAll(/^import\s+([^'"]*?)\s+from\s+['"](?:node:)?fs(?:\/promises)?['"]/gm)]
  const dynamic = /\b(?:import|require)\(\s*['"](?:node:)?fs/.test(text) ? ['everything'] : []
  return [
    ...dynamic,
    ...imports.flatMap(([, what = '']) => {
      const names = /^(?:type\s+)?\{([^}]*)\}$/s.exec(what)?.[1]
      return names === undefined
        ? ['everything']
        : names.split(',').map((name) => name.trim().split(' as ')[0] ?? '')
    }),
  ]
}

function readers(sources: Sources): string[] {
  return Object.entries(sources)
    .filter(([file]) => file !== 'system/files/read-small.ts')
    .flatMap(([file, text]) =>
      importedBy(text)
        .filter((name) => name === 'everything' || opening.includes(name))
        .filter((name) => !allowed[file]?.includes(name))
        .map((name) => `${file}: ${name}`),
    )
}

/** JSON.parse names in its errors what is in the text; what comes from outside is read by parseJson. */
function parsers(sources: Sources): string[] {
  return Object.keys(sources)
    .filter((file) => /\bJSON\.parse\(/.test(sources[file] ?? ''))
    .sort()
}

describe('the sources', () => {
  const sources = sourcesOfPgbk()
  it('open files in one place, which follows no link and waits for nobody', () =>
    expect(readers(sources)).toEqual([]))
  it('have no exception that nobody needs', () => {
    const needed = (file: string) => importedBy(sources[file] ?? '')
    const idle = Object.entries(allowed).filter(([file, names]) =>
      names.some((name) => !needed(file).includes(name)),
    )
    expect(idle.map(([file]) => file)).toEqual([])
  })
  it('read JSON of files in one place', () =>
    expect(parsers(sources)).toEqual([
      'commands/demo.ts', // what pgbk itself has said
      'doctor/check-safety.ts', // answers of the server
      'postgres/programs/package-links.ts', // of a package that was checked
      'postgres/server/database-facts.ts',
      'postgres/server/server-facts.ts',
      'postgres/server/server-settings.ts',
      'postgres/server/wal-server.ts',
      'restore/restore-received.ts', // what pgbk itself has said
      'schema.ts',
      'snapshot/manifest/manifest-file.ts', // one string; catches whatever goes wrong
      'system/files/lock.ts', // catches whatever goes wrong
      'verify/verify-backup.ts', // what it has written itself
      'version.ts',
    ]))
})

describe('the check of made-up sources', () => {
  it.each([
    ["import { readFileSync } from 'node:fs'", ['backup/x.ts: readFileSync']],
    ["import {\n  lstatSync,\n  openSync,\n} from 'node:fs'", ['backup/x.ts: openSync']],
    ["import { readFile as read } from 'node:fs/promises'", ['backup/x.ts: readFile']],
    ["import fs from 'node:fs'", ['backup/x.ts: everything']],
    ["import * as fs from 'fs/promises'", ['backup/x.ts: everything']],
    ["const fs = await import('node:fs')", ['backup/x.ts: everything']],
    ["import { lstatSync } from 'node:fs'", []],
  ])('finds in %j what opens files', (text, found) => expect(readers({ 'backup/x.ts': text })).toEqual(found))
})
