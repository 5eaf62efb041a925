import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import {
  beginning,
  chance,
  type DirectoryModel,
  type FileModel,
  type Model,
  noiseAt,
  resizeTo,
  writeTo,
} from './model.js'

const { O_RDWR, O_CREAT, O_EXCL, O_DIRECT, O_RDONLY } = fs.constants

/** Past the kernel's cache: this is what the file server answers. */
const direct = O_DIRECT ?? 0

/** One random history of a directory, done to it and to a model of it. Throws where they differ. */
export class History {
  readonly #next: (limit: number) => number
  readonly #model: DirectoryModel = beginning()
  readonly #open: { descriptor: number; file: FileModel }[] = []
  /** What was done so far, for people. */
  readonly log: string[] = []

  constructor(
    private readonly root: string,
    seed: number,
  ) {
    this.#next = chance(seed)
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.#step()
    this.#compare(this.#model, this.root)
    for (const { descriptor, file } of this.#open) {
      this.#compareContents(file, descriptor)
      fs.closeSync(descriptor)
    }
    fs.rmSync(Buffer.from(this.root, 'latin1'), { recursive: true })
  }

  #step(): void {
    const [name, does] = this.#pick(operations)
    this.log.push(name)
    does(this)
  }

  #pick<T>(all: readonly T[]): T {
    return all[this.#next(all.length)] as T
  }

  #tell(text: string): void {
    this.log.push(`${this.log.pop()} ${text}`)
  }

  /** All names, with what they lead to. */
  #names(kind?: Model['kind']): [DirectoryModel, string, string, Model][] {
    const found: [DirectoryModel, string, string, Model][] = []
    const walk = (directory: DirectoryModel, path: string) => {
      for (const [name, node] of directory.children) {
        if (kind === undefined || node.kind === kind) found.push([directory, name, `${path}/${name}`, node])
        if (node.kind === 'directory') walk(node, `${path}/${name}`)
      }
    }
    walk(this.#model, this.root)
    return found
  }

  #directories(): [DirectoryModel, string][] {
    return [
      [this.#model, this.root],
      ...this.#names('directory').map(
        ([, , path, node]) => [node as DirectoryModel, path] as [DirectoryModel, string],
      ),
    ]
  }

  #file(): [FileModel, string] | undefined {
    const files = this.#names('file')
    if (files.length === 0) return undefined
    const [, , path, node] = this.#pick(files)
    this.#tell(path)
    return [node as FileModel, path]
  }

  /** A name that may be taken. */
  #newName(): [DirectoryModel, string, string] {
    const [directory, path] = this.#pick(this.#directories())
    const name = this.#pick(['new', 'odd', 'big', 'd', 'x'.repeat(255), '\xe9', 'small'])
    this.#tell(`${path}/${name}`)
    return [directory, name, `${path}/${name}`]
  }

  /** At a block's edge, near it, or anywhere. */
  #position(size: number): number {
    const anywhere = this.#next(size + 9000)
    const edge = anywhere - (anywhere % 4096)
    return this.#pick([anywhere, edge, Math.max(edge - 1, 0), edge + 1, size])
  }

  #length(): number {
    return this.#pick([
      1,
      100,
      4096,
      8192,
      8191,
      8193,
      40_960,
      this.#next(20_000) + 1,
      this.#next(200_000) + 1,
    ])
  }

  #fails(code: string, does: () => void): void {
    let found = 'success'
    try {
      does()
    } catch (error) {
      found = (error as { code: string }).code
    }
    if (found !== code) throw new Error(`${code} was to be expected, and not ${found}`)
  }

  write(): void {
    const [file, path] = this.#file() ?? []
    if (!file || path === undefined) return
    this.#with(path, O_RDWR | (this.#next(4) === 0 ? direct : 0), (descriptor) =>
      this.#writeTo(file, descriptor),
    )
  }

  #writeTo(file: FileModel, descriptor: number): void {
    const position = this.#position(file.data.length)
    const bytes = noiseAt(this.#next(1 << 20), this.#length())
    this.#tell(`at ${position}: ${bytes.length}`)
    fs.writeSync(descriptor, bytes, 0, bytes.length, position)
    writeTo(file, position, bytes)
    if (this.#next(5) === 0) fs.fsyncSync(descriptor)
  }

  read(): void {
    const [file, path] = this.#file() ?? []
    if (!file || path === undefined) return
    const position = this.#position(file.data.length)
    const length = this.#length()
    this.#tell(`at ${position}: ${length}`)
    this.#with(path, O_RDONLY | (this.#next(2) === 0 ? direct : 0), (descriptor) => {
      const bytes = Buffer.alloc(length)
      const got = fs.readSync(descriptor, bytes, 0, length, position)
      const expected = file.data.subarray(position, position + length)
      if (!expected.equals(bytes.subarray(0, got))) throw new Error('other bytes')
    })
  }

  truncate(): void {
    const [file, path] = this.#file() ?? []
    if (!file || path === undefined) return
    const size = this.#pick([0, this.#position(file.data.length), this.#position(file.data.length)])
    this.#tell(`to ${size}`)
    this.#with(path, O_RDWR, (descriptor) => fs.ftruncateSync(descriptor, size))
    resizeTo(file, size)
  }

  allocate(): void {
    const [file, path] = this.#file() ?? []
    if (!file || path === undefined || this.#next(4) > 0) return
    const position = this.#position(file.data.length)
    const length = this.#length()
    this.#tell(`at ${position}: ${length}`)
    const place = Buffer.from(path, 'latin1')
    this.#with(path, O_RDWR, (descriptor) => {
      const { status, stderr } = spawnSync(
        'fallocate',
        ['-o', `${position}`, '-l', `${length}`, '/proc/self/fd/0'],
        { stdio: [descriptor, 'ignore', 'pipe'] },
      )
      if (status !== 0) throw new Error(`${place}: ${stderr}`)
    })
    if (position + length > file.data.length) resizeTo(file, position + length)
  }

  create(): void {
    const [directory, name, path] = this.#newName()
    const make = () =>
      fs.closeSync(fs.openSync(Buffer.from(path, 'latin1'), O_RDWR | O_CREAT | O_EXCL, 0o600))
    if (directory.children.has(name)) {
      this.#fails('EEXIST', make)
      return
    }
    make()
    directory.children.set(name, { kind: 'file', data: Buffer.alloc(0), mode: 0o600 })
  }

  makeDirectory(): void {
    const [directory, name, path] = this.#newName()
    const make = () => fs.mkdirSync(Buffer.from(path, 'latin1'), 0o700)
    if (directory.children.has(name)) {
      this.#fails('EEXIST', make)
      return
    }
    make()
    directory.children.set(name, { kind: 'directory', children: new Map(), mode: 0o700 })
  }

  makeLink(): void {
    const [directory, name, path] = this.#newName()
    const make = () => fs.symlinkSync('../t\xf6', Buffer.from(path, 'latin1'))
    if (directory.children.has(name)) {
      this.#fails('EEXIST', make)
      return
    }
    make()
    directory.children.set(name, { kind: 'link', target: Buffer.from('../t\xf6').toString('latin1') })
  }

  makeHardLink(): void {
    const [, path] = this.#file() ?? []
    const [directory, name, other] = this.#newName()
    if (path === undefined || directory.children.has(name)) return
    this.#fails('EPERM', () => fs.linkSync(Buffer.from(path, 'latin1'), Buffer.from(other, 'latin1')))
  }

  remove(): void {
    const names = this.#names()
    if (names.length === 0) return
    const [directory, name, path, node] = this.#pick(names)
    this.#tell(path)
    const place = Buffer.from(path, 'latin1')
    const does = () => (node.kind === 'directory' ? fs.rmdirSync(place) : fs.unlinkSync(place))
    if (node.kind === 'directory' && node.children.size > 0) {
      this.#fails('ENOTEMPTY', does)
      return
    }
    does()
    directory.children.delete(name)
    this.#fails('ENOENT', () => fs.lstatSync(place))
  }

  rename(): void {
    const names = this.#names()
    if (names.length === 0) return
    const [from, name, path, node] = this.#pick(names)
    this.#tell(path)
    const [to, newName, newPath] = this.#next(2) === 0 ? this.#pick(names) : this.#newName()
    this.#tell(`to ${newPath}`)
    const does = () => fs.renameSync(Buffer.from(path, 'latin1'), Buffer.from(newPath, 'latin1'))
    const code = faultOfRename(node, path, to.children.get(newName), newPath)
    if (code !== undefined) {
      this.#fails(code, does)
      return
    }
    does()
    if (path === newPath) return
    from.children.delete(name)
    to.children.set(newName, node)
  }

  changeMode(): void {
    const [file, path] = this.#file() ?? []
    if (!file || path === undefined) return
    file.mode = this.#pick([0o600, 0o640, 0o755, 0o700])
    fs.chmodSync(Buffer.from(path, 'latin1'), file.mode)
  }

  changeTime(): void {
    const [file, path] = this.#file() ?? []
    if (!file || path === undefined) return
    const seconds = this.#next(2 ** 31)
    fs.utimesSync(Buffer.from(path, 'latin1'), 1, seconds)
    const { mtimeMs, size } = fs.lstatSync(Buffer.from(path, 'latin1'))
    if (mtimeMs !== seconds * 1000 || size !== file.data.length)
      throw new Error(`it is of ${mtimeMs}, size ${size}`)
  }

  /** What is open goes on when its name goes. */
  open(): void {
    const [file, path] = this.#file() ?? []
    if (!file || path === undefined) return
    this.#open.push({ file, descriptor: fs.openSync(Buffer.from(path, 'latin1'), O_RDWR) })
  }

  useOpen(): void {
    if (this.#open.length === 0) return
    const { file, descriptor } = this.#pick(this.#open)
    if (this.#next(2) === 0) this.#writeTo(file, descriptor)
    else this.#compareContents(file, descriptor)
  }

  copy(): void {
    const [file, path] = this.#file() ?? []
    const [directory, name, other] = this.#newName()
    if (!file || path === undefined || directory.children.has(name)) return
    fs.copyFileSync(Buffer.from(path, 'latin1'), Buffer.from(other, 'latin1'))
    directory.children.set(name, { ...file, data: Buffer.from(file.data), mode: file.mode })
  }

  /** Names come and go while a directory is read: what stays is told once. */
  list(): void {
    const [directory, path] = this.#pick(this.#directories())
    this.#tell(path)
    const before = new Set(directory.children.keys())
    const stream = fs.opendirSync(
      path === this.root ? path : (Buffer.from(path, 'latin1') as unknown as string),
      { encoding: 'latin1' as BufferEncoding, bufferSize: 1 },
    )
    const seen: string[] = []
    for (let n = 0; ; n++) {
      const entry = stream.readSync()
      if (!entry) break
      seen.push(entry.name)
      if (n === 1) this.create()
    }
    stream.closeSync()
    if (new Set(seen).size !== seen.length) throw new Error(`told twice: ${seen}`)
    for (const name of before) if (!seen.includes(name)) throw new Error(`${name} was left out`)
  }

  compareAll(): void {
    if (this.#next(6) === 0) this.#compare(this.#model, this.root)
  }

  #with(path: string, flags: number, use: (descriptor: number) => void): void {
    const descriptor = fs.openSync(Buffer.from(path, 'latin1'), flags)
    try {
      use(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
  }

  #compare(node: Model, path: string): void {
    const place = Buffer.from(path, 'latin1')
    const found = fs.lstatSync(place)
    if (node.kind === 'link') {
      if (!found.isSymbolicLink() || fs.readlinkSync(place, 'latin1' as BufferEncoding) !== node.target)
        throw new Error(`${path}: another link`)
      return
    }
    if ((found.mode & 0o7777) !== node.mode) throw new Error(`${path}: mode ${found.mode.toString(8)}`)
    if (node.kind === 'file') {
      if (!found.isFile() || found.size !== node.data.length)
        throw new Error(`${path}: size ${found.size}, not ${node.data.length}`)
      for (const how of [0, direct])
        this.#with(path, O_RDONLY | how, (descriptor) => this.#compareContents(node, descriptor))
      return
    }
    const names = fs.readdirSync(place, 'latin1' as BufferEncoding).sort()
    if (names.join('/') !== [...node.children.keys()].sort().join('/'))
      throw new Error(`${path}: has ${names}`)
    for (const [name, child] of node.children) this.#compare(child, `${path}/${name}`)
  }

  #compareContents({ data }: FileModel, descriptor: number): void {
    const bytes = Buffer.alloc(data.length + 1)
    let got = 0
    for (let read = -1; read !== 0; got += read)
      read = fs.readSync(descriptor, bytes, got, bytes.length - got, got)
    if (!data.equals(bytes.subarray(0, got)))
      throw new Error(`other contents: ${firstDifference(data, bytes.subarray(0, got))}`)
  }
}

function firstDifference(expected: Buffer, found: Buffer): string {
  const at = expected.findIndex((byte, index) => byte !== found[index])
  return `${found.length} bytes, not ${expected.length}; from ${at} on`
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

type Does = (history: History) => void

/** What is done often stands here more than once. */
const operations: [string, Does][] = [
  ...Array.from({ length: 6 }, (): [string, Does] => ['write', (one) => one.write()]),
  ...Array.from({ length: 3 }, (): [string, Does] => ['read', (one) => one.read()]),
  ...Array.from({ length: 3 }, (): [string, Does] => ['truncate', (one) => one.truncate()]),
  ['allocate', (one) => one.allocate()],
  ['create', (one) => one.create()],
  ['mkdir', (one) => one.makeDirectory()],
  ['symlink', (one) => one.makeLink()],
  ['link', (one) => one.makeHardLink()],
  ['remove', (one) => one.remove()],
  ['rename', (one) => one.rename()],
  ['rename', (one) => one.rename()],
  ['chmod', (one) => one.changeMode()],
  ['utimes', (one) => one.changeTime()],
  ['open', (one) => one.open()],
  ['use what is open', (one) => one.useOpen()],
  ['use what is open', (one) => one.useOpen()],
  ['copy', (one) => one.copy()],
  ['list', (one) => one.list()],
  ['compare', (one) => one.compareAll()],
]
