import {
  linkSync,
  mkdirSync,
  opendirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { History } from './history.js'
import { beginning, type DirectoryModel } from './model.js'

/**
 * A program of its own, for a mounted file system: `make ORIGIN COUNT` makes what so many histories begin with; `run DIRECTORY STORE
 * COUNT SEED` does them, and looks at the end that nothing of them is left in the store.
 */
const [, , what, place = '', ...words] = process.argv

if (what === 'make') {
  make(beginning(), Buffer.from(place))
  for (let n = 1; n < Number(words[0]); n++) link(beginning(), Buffer.from(place), n)
} else await run(words[0] ?? '', Number(words[1]), Number(words[2]))

function make(model: DirectoryModel, root: Buffer): void {
  writeTree(model, Buffer.concat([root, Buffer.from('/0')]), (path, data) =>
    writeFileSync(path, data, { mode: 0o644 }),
  )
}

/** All histories begin with the same files. */
function link(model: DirectoryModel, root: Buffer, n: number): void {
  const own = Buffer.concat([root, Buffer.from(`/${n}`)])
  writeTree(model, own, (path) =>
    linkSync(Buffer.concat([root, Buffer.from('/0'), path.subarray(own.length)]), path),
  )
}

function writeTree(
  model: DirectoryModel,
  path: Buffer,
  writeFile: (path: Buffer, data: Buffer) => void,
): void {
  mkdirSync(path, model.mode)
  for (const [name, node] of model.children) {
    const child = Buffer.concat([path, Buffer.from('/'), Buffer.from(name, 'latin1')])
    if (node.kind === 'directory') writeTree(node, child, writeFile)
    else if (node.kind === 'link') symlinkSync(node.target, child)
    else writeFile(child, node.data)
  }
}

async function run(store: string, count: number, seed: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const history = new History(join(place, String(n)), seed + n)
    try {
      history.run(60)
    } catch (error) {
      const { stack } = error as Error
      process.stdout.write(`history ${n} of seed ${seed}: ${stack}\n${history.log.slice(-40).join('\n')}\n`)
      process.exitCode = 1
      return
    }
  }
  readWhileNamesGo(join(place, 'crowd'))
  // The kernel forgets what is gone when it likes to.
  for (let waited = 0; readdirSync(store).length > 0 && waited < 100; waited++) await sleep(100)
  process.stdout.write(
    `${count} histories, ${readdirSync(store).length} files left, ${readdirSync(place).length} directories\n`,
  )
}

/** More names than one answer has room for, of which most go while they are read: what stays must be told, once. */
function readWhileNamesGo(crowd: string): void {
  const names = Array.from({ length: 4000 }, (_, n) => `name ${n}`)
  mkdirSync(crowd)
  for (const name of names) writeFileSync(join(crowd, name), '')
  const stream = opendirSync(crowd)
  const seen: string[] = []
  for (let entry = stream.readSync(); entry; entry = stream.readSync()) {
    seen.push(entry.name)
    if (seen.length === 10) for (const name of names.slice(0, 3000)) unlinkSync(join(crowd, name))
  }
  stream.closeSync()
  const stayed = seen.filter((name) => names.indexOf(name) >= 3000)
  process.stdout.write(`${new Set(stayed).size} and ${stayed.length} names\n`)
  rmSync(crowd, { recursive: true })
}
