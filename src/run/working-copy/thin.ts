import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../../context.js'
import { systemCode, systemReason } from '../../errors.js'
import { hasProc } from '../../system/process/process-table.js'
import { overlay } from './overlay.js'
import { fuseDevice, type WorkingCopyMethod } from './working-copy.js'

/**
 * Small files lie on an overlay, which copies them when they are first opened; the tables lie on the file server's tree alone, which
 * keeps what was written of them in blocks. They are bound, not linked: CREATE DATABASE and ALTER DATABASE SET TABLESPACE pass
 * over links without a word (copydir.c). Of others' files the overlay could copy none: then its lower layer is the file server's
 * tree too, where all belongs to the caller, and what the others let the caller read is not for everybody, as PostgreSQL wants it
 * (checkDataDir() in src/backend/utils/init/miscinit.c). Descriptor 6 is the device, which the server must not keep.
 */
const mountThin = `
mount -i -t fuse -o "fd=6,rootmode=40000,user_id=$uid,group_id=$gid,default_permissions" pgbk-thin files || exit 70
exec 6<&-
layer=files
[ ! -O lower/data ] || [ ! -G lower/data ] || layer=lower
mount -t overlay overlay -o lowerdir=$layer,upperdir=upper,workdir=work,userxattr,volatile snapshot || exit 70
for tables in data/base tablespaces; do
  [ ! -d lower/$tables ] || mount --bind files/$tables snapshot/$tables || exit 70
done
[ $layer = lower ] || chmod g-w,o-rwx snapshot/data || exit 70
`

/** Every block is read from where it lies until it is written; whom the backup belongs to makes no difference. */
export const thin: WorkingCopyMethod = {
  kind: 'thin',

  async prepare({ snapshot, run }, context) {
    if (!hasProc()) return 'this system has no file systems of that kind'
    const obstacle = deviceObstacle() ?? readingObstacle(join(snapshot, 'data'), context)
    if (obstacle !== undefined) return obstacle
    for (const directory of [run.layout.files, run.layout.store]) mkdirSync(directory)
    return undefined
  },

  access: { mounts: true, hasFileServer: true, setUp: mountThin },

  explain(failure) {
    const [first = ''] = failure.split('\n')
    if (first.includes(fuseDevice)) return `${fuseDevice} cannot be opened here (${first})`
    if (/mount: (?:files:|.*on files failed)/.test(first))
      return `the kernel does not mount FUSE for users here (${first})`
    return overlay.explain(failure)
  },
}

function deviceObstacle(): string | undefined {
  try {
    accessSync(fuseDevice, constants.R_OK | constants.W_OK)
    return undefined
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return `there is no ${fuseDevice}`
    const mode = (statSync(fuseDevice).mode & 0o7777).toString(8).padStart(4, '0')
    return `${fuseDevice} has mode ${mode} (${systemReason(error)})`
  }
}

/** Files of others can be used, if they can be read. */
function readingObstacle(data: string, { user }: Context): string | undefined {
  try {
    accessSync(data, constants.R_OK | constants.X_OK)
    return undefined
  } catch (error) {
    return `${user().name} may not read ${data} (${systemReason(error)})`
  }
}
