import { lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupLayout } from './layout.js'
import { listTree } from './list-tree.js'
import { exemptFromManifest, type ManifestFile, readManifest } from './manifest.js'
import { SeenNames } from './seen-names.js'

/**
 * Whether a snapshot has every file of its manifest, in the right size and behind no link but those of tablespaces.
 * @returns false where this is not known: each file has to be looked at then.
 * @throws as `readManifest`; the signal's reason when aborted.
 */
export async function hasAllFiles(layout: BackupLayout, signal?: AbortSignal): Promise<boolean> {
  const items = new SeenNames()
  const placeOf = placesIn(layout)
  let [wanted, met] = [0, 0]
  // Each comes once from either side, in whatever order: what is there already has come from the other one.
  const take = (item: string) => {
    if (!items.add(item)) met++
  }
  const [isListed] = await Promise.all([
    listTree(layout.snapshot, take, signal),
    readManifest(join(layout.data, 'backup_manifest'), (file) => {
      signal?.throwIfAborted()
      if (exemptFromManifest.has(file.path)) return
      wanted++
      take(`${file.size} ${placeOf(file)}`)
    }),
  ])
  return isListed && met === wanted
}

/** Tells where below the snapshot a file really is: what is in a tablespace is named by way of its link. */
function placesIn({ data }: BackupLayout): (file: ManifestFile) => string {
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
