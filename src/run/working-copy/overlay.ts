import { statSync } from 'node:fs'
import { join } from 'node:path'
import { hasProc } from '../../system/process/process-table.js'
import type { WorkingCopyMethod } from './working-copy.js'

/**
 * Mounted by relative names, so that no character of a path means anything, in a private mount name space: it vanishes with its
 * last process. Nothing of it outlives a crash: `volatile` leaves out the flush of each file that is copied up (Linux 5.10;
 * `userxattr` needs 5.11).
 */
const mountOverlay = `
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,userxattr,volatile snapshot || exit 70
`

export const overlay: WorkingCopyMethod = {
  kind: 'overlay',

  async prepare({ snapshot }, context) {
    if (!hasProc()) return 'this system has no overlay file systems'
    const { gid } = context.user()
    const files = statSync(join(snapshot, 'data'))
    // Only the caller's own ids are mapped in the name space; files of others could not be copied up.
    if (files.gid !== gid) return `the backup belongs to group ${files.gid}, and yours is ${gid}`
    return undefined
  },

  access: { mounts: true, setUp: mountOverlay },

  explain(failure) {
    if (/^unshare: /m.test(failure)) return `user namespaces are forbidden here (${failure})`
    if (/wrong fs type|bad option/.test(failure)) {
      return `the working directory is itself an overlay, or on a file system that cannot hold one (${failure.split('\n')[0]})`
    }
    if (/^mount: snapshot: |on snapshot failed/m.test(failure))
      return `the kernel does not mount overlays for users here (${failure.split('\n')[0]})`
    return failure
  },
}
