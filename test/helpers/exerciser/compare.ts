import * as fs from 'node:fs'
import { withFile } from './ground.js'
import type { FileModel, Model } from './model.js'

/** Past the kernel's cache: this is what the file server answers. */
export const direct = fs.constants.O_DIRECT ?? 0

/** Throws where what is there differs from the model. */
export function compare(node: Model, path: string): void {
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
      withFile(path, fs.constants.O_RDONLY | how, (descriptor) => compareContents(node, descriptor))
    return
  }
  const names = fs.readdirSync(place, 'latin1' as BufferEncoding).sort()
  if (names.join('/') !== [...node.children.keys()].sort().join('/')) throw new Error(`${path}: has ${names}`)
  for (const [name, child] of node.children) compare(child, `${path}/${name}`)
}

export function compareContents({ data }: FileModel, descriptor: number): void {
  const bytes = Buffer.alloc(data.length + 1)
  let got = 0
  for (let read = -1; read !== 0; got += read)
    read = fs.readSync(descriptor, bytes, got, bytes.length - got, got)
  if (!data.equals(bytes.subarray(0, got)))
    throw new Error(`other contents: ${firstDifference(data, bytes.subarray(0, got))}`)
}

function firstDifference(expected: Buffer, found: Buffer): string {
  const at = expected.findIndex((byte, index) => byte !== found[index])
  return `${found.length} bytes, not ${expected.length}; from ${at} on`
}
