import * as fs from 'node:fs'
import { fails, type Ground } from './ground.js'
import type { Model } from './model.js'

const { O_RDWR, O_CREAT, O_EXCL } = fs.constants

export function create(ground: Ground): void {
  const [directory, name, path] = ground.newName()
  const make = () => fs.closeSync(fs.openSync(Buffer.from(path, 'latin1'), O_RDWR | O_CREAT | O_EXCL, 0o600))
  if (directory.children.has(name)) {
    fails('EEXIST', make)
    return
  }
  make()
  directory.children.set(name, { kind: 'file', data: Buffer.alloc(0), mode: 0o600 })
}

export function makeDirectory(ground: Ground): void {
  const [directory, name, path] = ground.newName()
  const make = () => fs.mkdirSync(Buffer.from(path, 'latin1'), 0o700)
  if (directory.children.has(name)) {
    fails('EEXIST', make)
    return
  }
  make()
  directory.children.set(name, { kind: 'directory', children: new Map(), mode: 0o700 })
}

export function makeLink(ground: Ground): void {
  const [directory, name, path] = ground.newName()
  const make = () => fs.symlinkSync('../t\xf6', Buffer.from(path, 'latin1'))
  if (directory.children.has(name)) {
    fails('EEXIST', make)
    return
  }
  make()
  directory.children.set(name, { kind: 'link', target: Buffer.from('../t\xf6').toString('latin1') })
}

export function makeHardLink(ground: Ground): void {
  const [, path] = ground.file() ?? []
  const [directory, name, other] = ground.newName()
  if (path === undefined || directory.children.has(name)) return
  fails('EPERM', () => fs.linkSync(Buffer.from(path, 'latin1'), Buffer.from(other, 'latin1')))
}

export function remove(ground: Ground): void {
  const names = ground.names()
  if (names.length === 0) return
  const [directory, name, path, node] = ground.pick(names)
  ground.tell(path)
  const place = Buffer.from(path, 'latin1')
  const does = () => (node.kind === 'directory' ? fs.rmdirSync(place) : fs.unlinkSync(place))
  if (node.kind === 'directory' && node.children.size > 0) {
    fails('ENOTEMPTY', does)
    return
  }
  does()
  directory.children.delete(name)
  fails('ENOENT', () => fs.lstatSync(place))
}

export function rename(ground: Ground): void {
  const names = ground.names()
  if (names.length === 0) return
  const [from, name, path, node] = ground.pick(names)
  ground.tell(path)
  const [to, newName, newPath] = ground.next(2) === 0 ? ground.pick(names) : ground.newName()
  ground.tell(`to ${newPath}`)
  const does = () => fs.renameSync(Buffer.from(path, 'latin1'), Buffer.from(newPath, 'latin1'))
  const code = faultOfRename(node, path, to.children.get(newName), newPath)
  if (code !== undefined) {
    fails(code, does)
    return
  }
  does()
  if (path === newPath) return
  from.children.delete(name)
  to.children.set(newName, node)
}

export function copy(ground: Ground): void {
  const [file, path] = ground.file() ?? []
  const [directory, name, other] = ground.newName()
  if (!file || path === undefined || directory.children.has(name)) return
  fs.copyFileSync(Buffer.from(path, 'latin1'), Buffer.from(other, 'latin1'))
  directory.children.set(name, { ...file, data: Buffer.from(file.data), mode: file.mode })
}

/** Names come and go while a directory is read: what stays is told once. */
export function list(ground: Ground): void {
  const [directory, path] = ground.pick(ground.directories())
  ground.tell(path)
  const before = new Set(directory.children.keys())
  const stream = fs.opendirSync(
    path === ground.root ? path : (Buffer.from(path, 'latin1') as unknown as string),
    { encoding: 'latin1' as BufferEncoding, bufferSize: 1 },
  )
  const seen: string[] = []
  for (let n = 0; ; n++) {
    const entry = stream.readSync()
    if (!entry) break
    seen.push(entry.name)
    if (n === 1) create(ground)
  }
  stream.closeSync()
  if (new Set(seen).size !== seen.length) throw new Error(`told twice: ${seen}`)
  for (const name of before) if (!seen.includes(name)) throw new Error(`${name} was left out`)
}

function faultOfRename(
  node: Model,
  path: string,
  replaced: Model | undefined,
  newPath: string,
): string | undefined {
  if (newPath.startsWith(`${path}/`)) return 'EINVAL'
  if (!replaced || replaced === node) return undefined
  if (path.startsWith(`${newPath}/`)) return 'ENOTEMPTY'
  if (node.kind !== 'directory') return replaced.kind === 'directory' ? 'EISDIR' : undefined
  if (replaced.kind !== 'directory') return 'ENOTDIR'
  return replaced.children.size > 0 ? 'ENOTEMPTY' : undefined
}
