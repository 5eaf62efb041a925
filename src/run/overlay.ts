import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { hasProc } from '../processes.js'
import { removeWhenOver } from './clean-up.js'
import type { WorkingCopyMethod } from './working-copy.js'

/**
 * Mounts by relative names, so that no character of a path means anything. Then the backups are bound read-only: not even
 * COPY TO their real path reaches them. All of it is in a private mount namespace and vanishes with its last process.
 */
const mounts = `
mount -t overlay overlay -o "lowerdir=lower,upperdir=upper,workdir=work$1" snapshot || exit 70
mount --bind "$2" "$2" || exit 70
mount -o remount,bind,ro "$2" || exit 70
shift 2
cd snapshot || exit 70
`

const asRoot = ['unshare', '--mount']
const asUser = ['unshare', '--user', '--mount', '--map-current-user', '--keep-caps']

export const overlay: WorkingCopyMethod = {
  kind: 'overlay',

  async prepare({ backup }, context) {
    if (!hasProc()) return 'this system has no overlay file systems'
    const { uid, gid } = context.user()
    const files = statSync(backup.layout.data)
    // Only the caller's own ids are mapped in the namespace; files of others could not be copied up.
    if (uid !== 0 && files.gid !== gid) return `the backup belongs to group ${files.gid}, and yours is ${gid}`
    return undefined
  },

  launch({ backup }, context) {
    const isRoot = context.user().uid === 0
    return {
      prefix: isRoot ? asRoot : asUser,
      setUp: mounts,
      setUpArguments: [isRoot ? '' : ',userxattr', dirname(backup.layout.directory)],
      cleanUp: `umount snapshot || umount -l snapshot\n${removeWhenOver}`,
    }
  },

  explain(failure) {
    if (/^unshare: /m.test(failure)) return `user namespaces are forbidden here (${failure})`
    if (/wrong fs type|bad option/.test(failure)) {
      return `the working directory is itself an overlay, or on a file system that cannot hold one (${failure.split('\n')[0]})`
    }
    return failure
  },
}
