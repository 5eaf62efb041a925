import type { BytePath } from '../../system/paths/byte-path.js'
import type { Store } from '../blocks/store.js'
import { ThinFile } from '../blocks/thin-file.js'
import type { Attributes, Kind, Origin, Time } from '../origin/origin.js'

/** What a tree is made from. */
export interface Places {
  origin: Origin
  store: Store
}

/** Where a node comes from: a path of the origin, or the run, with these permissions. */
export type Beginning = { path: BytePath } | { path?: undefined; permissions: number; target?: Buffer }

/** What names lead to. What it takes from the origin is asked for when it is first needed. */
abstract class Node {
  abstract readonly kind: Kind
  /** Whether a name leads to it; what is open goes on without one. */
  isNamed = true
  /** How often the kernel was told of it and has not forgotten it since. */
  lookups = 0
  #attributes: Attributes | undefined

  constructor(
    readonly id: number,
    protected readonly places: Places,
    protected readonly beginning: Beginning,
  ) {}

  /** Their size is that at the beginning. */
  get attributes(): Attributes {
    this.#attributes ??=
      this.beginning.path === undefined
        ? attributesNow(this.beginning)
        : this.places.origin.attributes(this.beginning.path)
    return this.#attributes
  }

  get size(): number {
    return this.attributes.size
  }

  setPermissions(permissions: number): void {
    Object.assign(this.attributes, { permissions, ctime: timeNow() })
  }

  setTimes(times: { atime?: Time; mtime?: Time }): void {
    Object.assign(this.attributes, times, { ctime: timeNow() })
  }

  /** Its contents have changed. */
  touch(): void {
    const now = timeNow()
    const { attributes } = this
    attributes.mtime = now
    attributes.ctime = now
  }
}

export class FileNode extends Node {
  readonly kind = 'file'
  #contents: ThinFile | undefined

  get contents(): ThinFile {
    this.#contents ??= new ThinFile(this.places, this.id, this.beginning.path, this.attributes.size)
    return this.#contents
  }

  override get size(): number {
    return this.contents.size
  }
}

export class DirectoryNode extends Node {
  readonly kind = 'directory'
  parent: DirectoryNode = this
  /** Undefined until somebody looks into it: then the tree asks for what is found there. */
  children: Map<BytePath, AnyNode> | undefined

  /** What it holds at the beginning. */
  found(): { name: BytePath; kind: Kind; path: BytePath }[] {
    const { path } = this.beginning
    if (path === undefined) return []
    const prefix = path === '' ? '' : `${path}/`
    return this.places.origin
      .list(path)
      .map(({ name, kind }) => ({ name, kind, path: `${prefix}${name}` as BytePath }))
  }
}

export class LinkNode extends Node {
  readonly kind = 'link'

  get target(): Buffer {
    const { beginning, places } = this
    if (beginning.path !== undefined) return places.origin.target(beginning.path)
    return beginning.target ?? Buffer.alloc(0)
  }
}

export type AnyNode = FileNode | DirectoryNode | LinkNode

const classes = { file: FileNode, directory: DirectoryNode, link: LinkNode }

export function newNode<K extends Kind>(kind: K, id: number, places: Places, beginning: Beginning) {
  return new classes[kind](id, places, beginning) as InstanceType<(typeof classes)[K]>
}

export function timeNow(): Time {
  const now = Date.now()
  return { seconds: Math.floor(now / 1000), nanoseconds: (now % 1000) * 1_000_000 }
}

function attributesNow({ permissions, target }: { permissions: number; target?: Buffer }): Attributes {
  const now = timeNow()
  return { permissions, size: target?.length ?? 0, atime: now, mtime: now, ctime: now }
}
