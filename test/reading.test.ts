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
  'createWriteStream', // which may make its file after it has failed: open first, and take the handle's own
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
  'run/local-run.ts': ['readFileSync'], // --sql: the caller's own file, or /dev/stdin
  'config/trusted-file.ts': ['openSync'], // the configuration, which has rules of its own
  'create/stream/sort-tar.ts': ['openSync'], // makes files, with O_EXCL and O_NOFOLLOW
  'create/trim-wal.ts': ['open'], // zeros a segment that was copied, and is a file, with O_NOFOLLOW and O_NONBLOCK
  'file-server/blocks/store.ts': ['openSync'], // writes, with O_NOFOLLOW; in a run's own directory
  'file-server/origin/directory-origin.ts': ['openSync'], // with O_NOFOLLOW and O_NONBLOCK, one name at a time
  'keys/new-key.ts': ['open'], // makes a file, with O_EXCL
  'postgres/local/sockets.ts': ['openSync'], // a directory
  'postgres/programs/fetch-postgres.ts': ['readFile'], // of a package that was checked
  'postgres/programs/find.ts': ['openSync'], // the programs of this machine
  'postgres/programs/install-hint.ts': ['readFileSync'], // /etc/os-release
  'postgres/programs/package-links.ts': ['readFileSync'], // of a package that was checked
  'postgres/programs/unpack-package.ts': ['open'], // makes a file, with O_EXCL
  'place/contract/file-writer.ts': ['openSync'], // writes, with O_NOFOLLOW
  'place/store/send-to-file.ts': ['open'], // writes, with O_NOFOLLOW and O_NONBLOCK
  'place/tar-archive/write-archive.ts': ['open'], // makes the archive, with O_EXCL
  'remote-image/stripe.ts': ['openSync'], // with O_NOFOLLOW and O_NONBLOCK; what it reads has a checksum
  'system/files/copy-file.ts': ['copyFile', 'copyFileSync', 'openSync'], // after it has looked that it is a file; makes empty ones, with O_NOFOLLOW
  'system/files/durable.ts': ['open', 'openSync'], // writes, with O_NOFOLLOW and O_NONBLOCK; opens to flush, and reads nothing
  'system/files/share-file.ts': ['copyFileSync', 'openSync'], // clones what it has opened as a file; writes into the clone, with O_NOFOLLOW
  'system/files/lock-file.ts': ['openSync'], // with O_NOFOLLOW and O_NONBLOCK, and a look that it is a file
  'system/paths/trusted-path.ts': ['readFileSync'], // /etc/group
  'system/process/become.ts': ['openSync'], // this program itself
  'system/process/process-table.ts': ['readFileSync'], // /proc
  'upload/as-sent.ts': ['open'], // makes a file, with O_EXCL and O_NOFOLLOW
  'version.ts': ['readFileSync'], // package.json
  'wal-archive/receiver-state.ts': ['open'], // writes, with O_NOFOLLOW and O_NONBLOCK
  'wal-reading/make-waldump-directory.ts': ['openSync'], // a directory, with O_NOFOLLOW
  'wal-reading/waldump-directory.ts': ['open'], // makes a file in a directory of its own
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

/** It names in its errors what is in the text, and what it returns is taken for anything: schema.ts checks what comes from outside. */
function parsers(sources: Sources): string[] {
  return Object.keys(sources).filter((file) => /\bJSON\.parse\b/.test(sources[file] ?? ''))
}

/** Who renames beside durable.ts, which alone replaces small files, and what. */
const renaming: Record<string, string> = {
  'borrowing/borrowed-root.ts': 'a directory that appears with its marker in it',
  'catalog/partial.ts': 'a directory that is published',
  'catalog/remove.ts': 'a record becomes a marker',
  'postgres/programs/fetch-postgres.ts': 'a directory',
  'restore/directory/restore-marker.ts': 'a marker, of which one of several processes is to get hold',
  'restore/instance/instance-directory.ts': 'a directory that is published',
  'restore/instance/instance-remains.ts': 'a record becomes a marker; a directory',
  'run/directory/make-run-directory.ts': 'a directory that appears with its marker in it',
  'snapshot/arrange-snapshot.ts': 'a signal file is moved elsewhere',
  'place/contract/file-writer.ts': 'files of any size, flushed many at a time',
  'download/fetch-image.ts': 'an image that is to be continued',
  'download/publish-download.ts': 'directories',
  'packing/change-form.ts': 'a snapshot, or an image',
  'place/store/send-to-file.ts': 'an object of any size',
  'place/tar-archive/write-archive.ts': 'an archive',
  'system/files/copy-file.ts': 'files of any size that are moved',
  'system/files/share-file.ts': 'files of any size, flushed together',
  'wal-coverage/move-wal.ts': 'a segment',
  'wal-receiver/archive-files.ts': 'a segment',
  'wal-receiver/compressor.ts': 'a segment',
  'wal-receiver/move-diverged-wal.ts': 'segments',
}

function renamers(sources: Sources): string[] {
  return Object.keys(sources)
    .filter((file) => {
      const names = importedBy(sources[file] ?? '')
      return ['rename', 'renameSync'].some((name) => names.includes(name))
    })
    .filter((file) => file !== 'system/files/durable.ts')
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
  it('read JSON in one place', () => expect(parsers(sources)).toEqual(['schema.ts']))
  it('replace small files in one place', () =>
    expect(renamers(sources).sort()).toEqual(Object.keys(renaming).sort()))
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
