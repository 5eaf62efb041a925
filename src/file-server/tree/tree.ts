import type { BytePath } from '../../system/paths/byte-path.js'
import type { Kind } from '../origin/origin.js'
import { FUSE_ROOT_ID } from '../protocol/fuse.js'
import { Refusal } from '../protocol/refusal.js'
import {
  type AnyNode,
  type Beginning,
  DirectoryNode,
  FileNode,
  LinkNode,
  newNode,
  type Places,
} from './node.js'

/**
 * The names and directories, as they are now: in memory, from the origin's where the run has not changed them. Nodes have numbers that
 * are never used again. What the kernel checks before it asks (that names are no longer than 255 bytes, that a directory is not
 * moved into itself, rights) is not checked again.
 */
export class Tree {
  readonly #places: Places
  readonly #nodes = new Map<number, AnyNode>()
  #lastId = FUSE_ROOT_ID - 1

  constructor(places: Places) {
    this.#places = places
    this.#make('directory', { path: '' as BytePath })
  }

  /** @throws ESTALE where the kernel has been told that it is gone. */
  node(id: number): AnyNode {
    const node = this.#nodes.get(id)
    if (!node) throw new Refusal('ESTALE')
    return node
  }

  file(id: number): FileNode {
    const node = this.node(id)
    if (node.kind === 'directory') throw new Refusal('EISDIR')
    if (node instanceof FileNode) return node
    throw new Refusal('EINVAL')
  }

  directory(id: number): DirectoryNode {
    const node = this.node(id)
    if (node instanceof DirectoryNode) return node
    throw new Refusal('ENOTDIR')
  }

  link(id: number): LinkNode {
    const node = this.node(id)
    if (node instanceof LinkNode) return node
    throw new Refusal('EINVAL')
  }

  childrenOf(directory: DirectoryNode): Map<BytePath, AnyNode> {
    directory.children ??= new Map(
      directory.found().map(({ name, kind, path }) => [name, this.#make(kind, { path }, directory)]),
    )
    return directory.children
  }

  add(directory: DirectoryNode, name: BytePath, kind: Kind, beginning: Beginning): AnyNode {
    // One that was removed while it was open, or is somebody's present one, takes nothing in.
    if (!directory.isNamed) throw new Refusal('ENOENT')
    const children = this.childrenOf(directory)
    if (children.has(name)) throw new Refusal('EEXIST')
    const node = this.#make(kind, beginning, directory)
    children.set(name, node)
    directory.touch()
    return node
  }

  /** @throws ENOTEMPTY. */
  remove(directory: DirectoryNode, name: BytePath): void {
    const node = this.#named(directory, name)
    this.#mustBeEmpty(node)
    this.childrenOf(directory).delete(name)
    directory.touch()
    this.#unname(node)
  }

  /** What has the new name already goes, unless it is a directory that is not empty. */
  rename(from: DirectoryNode, name: BytePath, to: DirectoryNode, newName: BytePath): void {
    const node = this.#named(from, name)
    const replaced = this.childrenOf(to).get(newName)
    if (replaced === node) return
    if (replaced) {
      this.#mustBeEmpty(replaced)
      this.#unname(replaced)
    }
    this.childrenOf(from).delete(name)
    this.childrenOf(to).set(newName, node)
    if (node.kind === 'directory') node.parent = to
    node.setTimes({})
    from.touch()
    to.touch()
  }

  /** The kernel needs it no longer, as often as that. */
  forget(id: number, lookups: number): void {
    const node = this.#nodes.get(id)
    if (!node) return
    node.lookups -= lookups
    this.#dropUnneeded(node)
  }

  #make(kind: Kind, beginning: Beginning, parent?: DirectoryNode): AnyNode {
    this.#lastId++
    const node = newNode(kind, this.#lastId, this.#places, beginning)
    if (node.kind === 'directory' && parent) node.parent = parent
    this.#nodes.set(node.id, node)
    return node
  }

  #named(directory: DirectoryNode, name: BytePath): AnyNode {
    const node = this.childrenOf(directory).get(name)
    if (!node) throw new Refusal('ENOENT')
    return node
  }

  #mustBeEmpty(node: AnyNode): void {
    if (node.kind === 'directory' && this.childrenOf(node).size > 0) throw new Refusal('ENOTEMPTY')
  }

  #unname(node: AnyNode): void {
    node.isNamed = false
    node.setTimes({})
    this.#dropUnneeded(node)
  }

  #dropUnneeded(node: AnyNode): void {
    if (node.isNamed || node.lookups > 0) return
    this.#nodes.delete(node.id)
    if (node.kind === 'file') node.contents.remove()
  }
}
