import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { compareContents, direct } from './compare.js'
import { type Ground, withFile } from './ground.js'
import { type FileModel, noiseAt, resizeTo, writeTo } from './model.js'

const { O_RDWR, O_RDONLY } = fs.constants

export function write(ground: Ground): void {
  const [file, path] = ground.file() ?? []
  if (!file || path === undefined) return
  withFile(path, O_RDWR | (ground.next(4) === 0 ? direct : 0), (descriptor) =>
    writeSome(ground, file, descriptor),
  )
}

function writeSome(ground: Ground, file: FileModel, descriptor: number): void {
  const position = ground.position(file.data.length)
  const bytes = noiseAt(ground.next(1 << 20), ground.length())
  ground.tell(`at ${position}: ${bytes.length}`)
  fs.writeSync(descriptor, bytes, 0, bytes.length, position)
  writeTo(file, position, bytes)
  if (ground.next(5) === 0) fs.fsyncSync(descriptor)
}

export function read(ground: Ground): void {
  const [file, path] = ground.file() ?? []
  if (!file || path === undefined) return
  const position = ground.position(file.data.length)
  const length = ground.length()
  ground.tell(`at ${position}: ${length}`)
  withFile(path, O_RDONLY | (ground.next(2) === 0 ? direct : 0), (descriptor) => {
    const bytes = Buffer.alloc(length)
    const got = fs.readSync(descriptor, bytes, 0, length, position)
    const expected = file.data.subarray(position, position + length)
    if (!expected.equals(bytes.subarray(0, got))) throw new Error('other bytes')
  })
}

export function truncate(ground: Ground): void {
  const [file, path] = ground.file() ?? []
  if (!file || path === undefined) return
  const size = ground.pick([0, ground.position(file.data.length), ground.position(file.data.length)])
  ground.tell(`to ${size}`)
  withFile(path, O_RDWR, (descriptor) => fs.ftruncateSync(descriptor, size))
  resizeTo(file, size)
}

export function allocate(ground: Ground): void {
  const [file, path] = ground.file() ?? []
  if (!file || path === undefined || ground.next(4) > 0) return
  const position = ground.position(file.data.length)
  const length = ground.pick([ground.length(), 600_000])
  ground.tell(`at ${position}: ${length}`)
  const place = Buffer.from(path, 'latin1')
  withFile(path, O_RDWR, (descriptor) => {
    const { status, stderr } = spawnSync(
      'fallocate',
      ['-o', `${position}`, '-l', `${length}`, '/proc/self/fd/0'],
      { stdio: [descriptor, 'ignore', 'pipe'] },
    )
    if (status !== 0) throw new Error(`${place}: ${stderr}`)
  })
  if (position + length > file.data.length) resizeTo(file, position + length)
}

export function changeMode(ground: Ground): void {
  const [file, path] = ground.file() ?? []
  if (!file || path === undefined) return
  file.mode = ground.pick([0o600, 0o640, 0o755, 0o700])
  fs.chmodSync(Buffer.from(path, 'latin1'), file.mode)
}

export function changeTime(ground: Ground): void {
  const [file, path] = ground.file() ?? []
  if (!file || path === undefined) return
  const seconds = ground.next(2 ** 31)
  fs.utimesSync(Buffer.from(path, 'latin1'), 1, seconds)
  const { mtimeMs, size } = fs.lstatSync(Buffer.from(path, 'latin1'))
  if (mtimeMs !== seconds * 1000 || size !== file.data.length)
    throw new Error(`it is of ${mtimeMs}, size ${size}`)
}

/** What is open goes on when its name goes. */
export function openFile(ground: Ground): void {
  const [file, path] = ground.file() ?? []
  if (!file || path === undefined) return
  ground.open.push({ file, descriptor: fs.openSync(Buffer.from(path, 'latin1'), O_RDWR) })
}

export function useOpen(ground: Ground): void {
  if (ground.open.length === 0) return
  const { file, descriptor } = ground.pick(ground.open)
  if (ground.next(2) === 0) writeSome(ground, file, descriptor)
  else compareContents(file, descriptor)
}
