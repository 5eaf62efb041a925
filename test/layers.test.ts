import { readdirSync, readFileSync } from 'node:fs'
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

/** From the top down; imports go downward, or stay in their own folder. */
const layers: Record<string, number> = {
  top: 7,
  commands: 6,
  doctor: 5,
  create: 4,
  schedule: 4,
  run: 4,
  instances: 4,
  source: 4,
  wal: 4,
  verify: 4,
  postgres: 3,
  privileges: 3,
  config: 3,
  backup: 2,
  bottom: 1,
}
const topFiles = ['main.ts', 'cli.ts', 'process.ts']
const bottomFiles =
  'byte-path context errors inside names-in printable processes progress proof-outcome raw-text read-small schema shell-word trusted-path units version'
    .split(' ')
    .map((name) => `${name}.ts`)

const owners: Record<string, string | string[]> = {
  chalk: 'terminal/',
  commander: 'cli/',
  cosmiconfig: 'config/',
  execa: 'program/',
  ora: 'terminal/',
  postgres: 'postgres/',
  'string-width': 'terminal/',
  tar: ['source/', 'postgres/programs/unpack-package.ts'],
  valibot: 'schema.ts',
}

function partOf(file: string): string | undefined {
  if (topFiles.includes(file) || file.startsWith('cli/')) return 'top'
  if (bottomFiles.includes(file) || file.startsWith('program/')) return 'bottom'
  const [folder = ''] = file.split('/')
  return file.includes('/') && (folder === 'terminal' || folder in layers) ? folder : undefined
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
  const [upper, lower] = [partOf(from), partOf(to)]
  if (!upper || !lower) return `${upper ? to : from} belongs to no layer`
  if (upper === lower) return undefined
  if (lower === 'terminal') return upper === 'top' ? undefined : 'only cli may use terminal/'
  if (upper !== 'terminal') return isAbove(upper, lower) ? undefined : `${upper} is not above ${lower}`
  return lower === 'bottom' || (typeOnly && lower !== 'top') ? undefined : 'terminal/ may take types only'
}

function isAbove(upper: string, lower: string): boolean {
  return (layers[upper] ?? 0) > (layers[lower] ?? 0)
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

function forbiddenWords(sources: Sources): string[] {
  const always = /\bprocess\.exit\b|\bconsole\.|\bnew Error\(/g
  const outside = /\bprocess\.(?:env|cwd)\b/g
  return Object.entries(sources).flatMap(([file, text]) => {
    const words = [...text.matchAll(always), ...(file === 'process.ts' ? [] : text.matchAll(outside))]
    return words.map(([word]) => `${file}: ${word}`)
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
  it('neither read the process nor throw plain errors', () => expect(forbiddenWords(sources)).toEqual([]))
  it('are all read', () => expect(insideEdges(sources).length).toBeGreaterThan(100))
})

describe('the check of a made-up graph', () => {
  it.each([
    ['backup/a.ts', "import { x } from '../postgres/b.js'", 'backup is not above postgres'],
    ['config/a.ts', "import type { X } from '../postgres/b.js'", 'config is not above postgres'],
    ['postgres/a.ts', "import { x } from '../config/b.js'", 'postgres is not above config'],
    ['create/a.ts', "import { x } from '../run/b.js'", 'create is not above run'],
    ['errors.ts', "export { x } from './backup/b.js'", 'bottom is not above backup'],
    ['commands/a.ts', "const x = await import('../terminal/b.js')", 'only cli may use terminal/'],
    ['terminal/a.ts', "import {\n  type X,\n  y,\n} from '../backup/b.js'", 'terminal/ may take types only'],
    ['terminal/a.ts', "import type { X } from '../cli/b.js'", 'terminal/ may take types only'],
    ['backup/a.ts', "import { x } from '../other.js'", 'other.ts belongs to no layer'],
  ])('finds in %s the edge of %j', (file, text, fault) => {
    const found = forbiddenEdges({ [file]: text })
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`${file} -> `)
    expect(found[0]).toContain(fault)
  })

  it('allows what goes downward, and types for the terminal', () => {
    const good = {
      'cli/a.ts': "import { x } from '../terminal/b.js'\nimport { y } from '../commands/c.js'",
      'terminal/b.ts': "import type { X } from '../backup/d.js'\nimport { y } from '../units.js'",
      'create/e.ts': "import { x } from '../backup/d.js'\nimport { y } from './f.js'",
    }
    expect(forbiddenEdges(good)).toEqual([])
  })

  it('finds a cycle, and names its files', () => {
    const ring = { 'backup/a.ts': "import './b.js'", 'backup/b.ts': "import { type X } from './a.js'" }
    expect(cycles(ring)).toEqual(['backup/a.ts -> backup/b.ts -> backup/a.ts'])
  })

  it('finds packages in the wrong place, and unknown ones', () => {
    const found = strayPackages({ 'backup/a.ts': "import { execa } from 'execa'\nimport fs from 'fs'" })
    expect(found).toEqual([
      'backup/a.ts -> execa: only program/ may import it',
      'backup/a.ts -> fs: no owner is named for this package',
    ])
  })

  it.each(['process.exit(1)', 'process.env.HOME', 'process.cwd()', 'console.log(1)', 'throw new Error(x)'])(
    'finds %s',
    (text) => expect(forbiddenWords({ 'backup/a.ts': text })).toHaveLength(1),
  )
})
