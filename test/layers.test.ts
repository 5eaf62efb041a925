import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

/** The text of every source file by its path below src/. */
type Sources = Record<string, string>

interface Edge {
  from: string
  to: string
  typeOnly: boolean
}

/** Rooms by name (folders of src/, and the files at its top), each with its line in the picture, counted from the top. */
type Picture = ReadonlyMap<string, number>

const page = readFileSync(new URL('../docs/architecture.md', import.meta.url), 'utf8')

/** What stands in one line of the picture is on one level; lines that begin with # are titles. */
function pictureOf(text: string): Picture {
  const [, drawn = ''] = /^## The picture\n.*?^```text\n(.*?)^```/ms.exec(text) ?? []
  const levels = drawn.split('\n').filter((line) => /^[^#]/.test(line))
  return new Map(
    levels.flatMap((line, level) =>
      line
        .trim()
        .split(/\s+/)
        .map((room) => [room, level] as const),
    ),
  )
}

const picture = pictureOf(page)

/** What the terminal may call: how things are said is one for all, and a backup is plain data with two functions. */
const sayings = /^(text\/|catalog\/(backup|proof-outcome)\.ts$|[\w-]+\.ts$)/

const owners: Record<string, string | string[]> = {
  '@aws-sdk/client-s3': 'place/store/s3/',
  'age-encryption': 'encryption/',
  chalk: 'terminal/',
  commander: 'cli/',
  cosmiconfig: 'config/',
  execa: 'system/program/',
  fzstd: 'squashfs/',
  'https-proxy-agent': 'place/store/s3/',
  ora: 'terminal/',
  postgres: 'postgres/local/',
  'string-width': 'terminal/',
  tar: ['place/', 'postgres/programs/unpack-package.ts'],
  valibot: 'schema.ts',
}

/** A file at the top of src/ is a room of its own. */
function roomOf(file: string): string {
  return file.includes('/') ? posix.dirname(file) : file
}

function importsOf(from: string, text: string): Edge[] {
  const statements = text.matchAll(/^(?:import|export)\s+(?:([\w\s*{},$]*?)\s*from\s+)?['"]([^'"]+)['"]/gm)
  const dynamic = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)
  return [
    ...[...statements].map(([, what = '', to = '']) => ({ from, to, typeOnly: what.startsWith('type ') })),
    ...[...dynamic].map(([, to = '']) => ({ from, to, typeOnly: false })),
  ]
}

function insideEdges(sources: Sources): Edge[] {
  const edges = Object.entries(sources).flatMap(([file, text]) => importsOf(file, text))
  return edges
    .filter(({ to }) => to.startsWith('.'))
    .map((edge) => ({ ...edge, to: posix.join(posix.dirname(edge.from), edge.to).replace(/\.js$/, '.ts') }))
}

function faultOf({ from, to, typeOnly }: Edge): string | undefined {
  const [upper, lower] = [roomOf(from), roomOf(to)]
  const [high, low] = [picture.get(upper), picture.get(lower)]
  if (high === undefined || low === undefined)
    return `${high === undefined ? upper : lower} is not in the picture`
  if (upper === lower) return undefined
  if (high >= low) return `${upper} is not above ${lower}`
  const isDrawn = upper.split('/')[0] === 'terminal' && lower.split('/')[0] !== 'terminal'
  return isDrawn && !typeOnly && !sayings.test(to) ? 'terminal may take types only' : undefined
}

function forbiddenEdges(sources: Sources): string[] {
  return insideEdges(sources).flatMap((edge) => {
    const fault = faultOf(edge)
    return fault === undefined ? [] : [`${edge.from} -> ${edge.to}: ${fault}`]
  })
}

function cycles(sources: Sources): string[] {
  const edges = insideEdges(sources)
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] => {
    if (path.includes(file)) return [[...path.slice(path.indexOf(file)), file].join(' -> ')]
    if (done.has(file)) return []
    const found = edges.filter(({ from }) => from === file).flatMap(({ to }) => visit(to, [...path, file]))
    done.add(file)
    return found
  }
  return Object.keys(sources).flatMap((file) => visit(file, []))
}

function strayPackages(sources: Sources): string[] {
  const edges = Object.entries(sources).flatMap(([file, text]) => importsOf(file, text))
  return edges.flatMap(({ from, to }) => {
    const allowed = [owners[to] ?? []].flat()
    if (/^(\.|node:)/.test(to) || allowed.some((owner) => from.startsWith(owner))) return []
    return [
      `${from} -> ${to}: ${allowed.length > 0 ? `only ${allowed.join(', ')} may import it` : 'no owner is named for this package'}`,
    ]
  })
}

/** Who asks the process that it runs in; the relay and the file server are programs of their own. */
const ofTheProcess =
  /^(system\/|cli\/|main\.ts$|process-context\.ts$|run\/enclosure\/relay\.ts$|file-server\/file-server\.ts$)/

function forbiddenWords(sources: Sources): string[] {
  const always = /\bprocess\.exit\b|\bconsole\.|\bnew Error\(|\bnode:process\b|\bglobalThis\b/g
  const world = /\bprocess\.(?:env|cwd)\b/g
  const own = /(?<![\w.'"`/-])process(?:\??\.\w+|\[)|[=(]\s*process\s*(?:[,;)\n]| as )/g
  return Object.entries(sources).flatMap(([file, text]) => {
    const words = [
      ...text.matchAll(always),
      ...(file === 'process-context.ts' ? [] : text.matchAll(world)),
      ...(ofTheProcess.test(file) ? [] : text.matchAll(own)),
    ].map(([word]) => `${file}: ${word}`)
    return [...new Set(words)]
  })
}

function sourcesOfPgbk(): Sources {
  const src = fileURLToPath(new URL('../src', import.meta.url))
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]))
}

describe('the sources', () => {
  const sources = sourcesOfPgbk()
  it('import downward only', () => expect(forbiddenEdges(sources)).toEqual([]))
  it('have no cycle', () => expect(cycles(sources)).toEqual([]))
  it('import each package in one place only', () => expect(strayPackages(sources)).toEqual([]))
  it('neither ask the process nor throw plain errors', () => expect(forbiddenWords(sources)).toEqual([]))
  it('are all read', () => expect(insideEdges(sources).length).toBeGreaterThan(1000))

  it('stand in rooms of hardly more than twenty', () => {
    const rooms = Object.keys(sources).map(roomOf)
    const full = [...picture.keys()].filter((room) => rooms.filter((one) => one === room).length > 21)
    expect(full).toEqual([])
  })
})

describe('docs/architecture.md', () => {
  const rooms = [...new Set(Object.keys(sourcesOfPgbk()).map(roomOf))].sort()

  it('draws every room, and no other', () => expect([...picture.keys()].sort()).toEqual(rooms))

  it('says of every room once what is in it', () => {
    const told = [...page.matchAll(/^\| `([^`]+)` \| ./gm)].map(([, room]) => room)
    expect(told.sort()).toEqual(rooms)
  })

  it('names only files and folders that there are', () => {
    const named = [...page.matchAll(/`((?:[a-z-]+\/)+(?:[a-z-]+(?:\.test)?\.ts)?)`/g)].map(
      ([, path = '']) => path,
    )
    const isThere = (path: string) =>
      existsSync(new URL(`../${path.startsWith('test/') ? '' : 'src/'}${path}`, import.meta.url))
    expect(named.length).toBeGreaterThan(50)
    expect(named.filter((path) => !isThere(path))).toEqual([])
  })
})

it('test/ has a folder for a room, or for what is no unit', () => {
  const folders = readdirSync(fileURLToPath(new URL('.', import.meta.url)), {
    recursive: true,
    encoding: 'utf8',
  })
    .filter((name) => name.endsWith('.test.ts') && name.includes('/'))
    .map((name) => posix.dirname(name))
  expect([...new Set(folders)].filter((name) => !picture.has(name)).sort()).toEqual(['e2e', 'tools'])
})

describe('the check of a made-up graph', () => {
  it.each([
    ['catalog/a.ts', "import { x } from '../create/b.js'", 'catalog is not above create'],
    ['config/a.ts', "import type { X } from '../postgres/local/b.js'", 'config is not above postgres/local'],
    [
      'postgres/local/a.ts',
      "import { x } from '../connection/b.js'",
      'postgres/local is not above postgres/connection',
    ],
    ['wal-archive/a.ts', "import { x } from './notes/b.js'", 'wal-archive is not above wal-archive/notes'],
    ['place/a.ts', "import { x } from '../run/b.js'", 'place is not above run'],
    ['errors.ts', "export { x } from './catalog/b.js'", 'errors.ts is not above catalog'],
    ['create/a.ts', "const x = await import('../terminal/b.js')", 'create is not above terminal'],
    ['terminal/a.ts', "import {\n  type X,\n  y,\n} from '../catalog/b.js'", 'terminal may take types only'],
    ['terminal/views/a.ts', "import { x } from '../../create/b.js'", 'terminal may take types only'],
    ['terminal/views/a.ts', "import type { X } from '../../cli/b.js'", 'terminal/views is not above cli'],
    ['catalog/a.ts', "import { x } from '../other.js'", 'other.ts is not in the picture'],
    ['catalog/sub/a.ts', "import { x } from '../b.js'", 'catalog/sub is not in the picture'],
  ])('finds in %s the edge of %j', (file, text, fault) => {
    const found = forbiddenEdges({ [file]: text })
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`${file} -> `)
    expect(found[0]).toContain(fault)
  })

  it('allows what goes downward, and types for the terminal', () => {
    const good = {
      'cli/a.ts': "import { x } from '../terminal/b.js'\nimport { y } from '../create/c.js'",
      'terminal/b.ts': "import type { X } from '../catalog/d.js'\nimport { y } from '../text/format.js'",
      'create/e.ts': "import { x } from '../catalog/d.js'\nimport { y } from './f.js'",
    }
    expect(forbiddenEdges(good)).toEqual([])
  })

  it('finds a cycle, and names its files', () => {
    const ring = { 'catalog/a.ts': "import './b.js'", 'catalog/b.ts': "import { type X } from './a.js'" }
    expect(cycles(ring)).toEqual(['catalog/a.ts -> catalog/b.ts -> catalog/a.ts'])
  })

  it('finds packages in the wrong place, and unknown ones', () => {
    const found = strayPackages({ 'catalog/a.ts': "import { execa } from 'execa'\nimport fs from 'fs'" })
    expect(found).toEqual([
      'catalog/a.ts -> execa: only system/program/ may import it',
      'catalog/a.ts -> fs: no owner is named for this package',
    ])
  })

  it.each([
    'process.exit(1)',
    'process.env.HOME',
    'process.cwd()',
    'process.geteuid?.()',
    'process?.pid',
    'const { argv } = process\n',
    "import { pid } from 'node:process'",
    'globalThis.process',
    'console.log(1)',
    'throw new Error(x)',
  ])('finds %s', (text) => expect(forbiddenWords({ 'catalog/a.ts': text })).toHaveLength(1))

  it.each([
    "import { x } from '../process-context.js'",
    "import './server-process.js'",
    'await server.process.stop()',
    '// of this process.',
  ])('takes %s for what it is', (text) => expect(forbiddenWords({ 'catalog/a.ts': text })).toEqual([]))

  it('lets the system, and only process-context.ts, look at the world', () => {
    expect(forbiddenWords({ 'system/process/a.ts': 'process.kill(1)', 'cli/a.ts': 'process.argv' })).toEqual(
      [],
    )
    expect(forbiddenWords({ 'system/process/a.ts': 'process.env' })).toHaveLength(1)
  })
})
