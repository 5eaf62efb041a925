import { lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { SnapshotLayout } from '../catalog/layout.js'
import { listTree } from '../system/files/list-tree.js'
import { exemptFromManifest, type ManifestFile, visitManifest } from './manifest/manifest.js'
import { hashOf } from './manifest/seen-names.js'

/**
 * Whether a snapshot has every file of its manifest, in the right size, and neither other files nor any link but those of tablespaces.
 * @returns false where this is not known: each file has to be looked at then.
 * @throws as `visitManifest`; the signal's reason when aborted.
 */
export async function hasAllFiles(layout: SnapshotLayout, signal?: AbortSignal): Promise<boolean> {
  const [wanted, found] = [new NameSum(), new NameSum()]
  let hasOthers = false
  const placeOf = positionsIn(layout)
  const [isListed] = await Promise.all([
    listTree(
      layout.snapshot,
      ['!', '-type', 'd'],
      (item) => {
        if (isOfCluster.test(item)) found.add(item)
        else hasOthers ||= !isKnown.test(item)
      },
      signal,
    ),
    visitManifest(join(layout.data, 'backup_manifest'), (file) => {
      signal?.throwIfAborted()
      if (!exemptFromManifest.has(file.path)) wanted.add(`f${file.size} ${placeOf(file)}`)
    }),
  ])
  return isListed && !hasOthers && found.equals(wanted)
}

/** What a manifest tells of. */
const isOfCluster =
  /^f\d+ (?:data\/(?!pg_wal\/|(?:backup_manifest|postgresql\.auto\.conf|standby\.signal|recovery\.signal)$)|tablespaces\/)/

/** What is there beside that. */
const isKnown = /^(?:f|l\d+ data\/pg_tblspc\/\d+$)/

/** Tells where below the snapshot a file really is: what is in a tablespace is named by way of its link. */
function positionsIn({ data }: SnapshotLayout): (file: ManifestFile) => string {
  const linked = new Map<string, boolean>()
  return ({ path }) => {
    const [, oid, rest] = (path.startsWith('pg_tblspc/') && /^pg_tblspc\/(\d+)\/(.*)$/s.exec(path)) || []
    if (oid === undefined) return `data/${path}`
    if (!linked.has(oid)) linked.set(oid, isLinked(join(data, 'pg_tblspc', oid), oid))
    return linked.get(oid) ? `tablespaces/${oid}/${rest}` : `data/${path}`
  }
}

function isLinked(path: string, oid: string): boolean {
  return (
    lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true &&
    readlinkSync(path) === `../../tablespaces/${oid}`
  )
}

/** Tells whether two lists, in whatever order, have the same names; each takes no more room than a few numbers. */
class NameSum {
  #count = 0
  #one = 0
  #other = 0

  /** @param name its characters are bytes. */
  add(name: string): void {
    const [one, other] = hashOf(name)
    this.#count++
    this.#one = (this.#one + one) >>> 0
    this.#other = (this.#other + other) >>> 0
  }

  /** Two that differ in any way are taken for equal once in 10^19 times. */
  equals(sum: NameSum): boolean {
    return this.#count === sum.#count && this.#one === sum.#one && this.#other === sum.#other
  }
}
