import type { Context } from '../../context.js'
import type { RunDirectory } from '../directory/run-directory.js'

export type WorkingCopyKind = 'overlay' | 'reflink' | 'copy' | 'thin'

/** What a file system is served through (fuse(4)). */
export const fuseDevice = '/dev/fuse'

export interface WorkingCopyRequest {
  /** The backup's, which keeps every byte. */
  snapshot: string
  run: RunDirectory
}

/** How a server's own shell, in the run's directory, gets at a working copy; see `Namespaces`. */
export interface WorkingCopyAccess {
  /** Whether it has to mount something, which needs name spaces. */
  mounts: boolean
  /** Whether a file server serves `lower` through `fuseDevice`, which is descriptor 6 of the shell, and keeps changes in `store`. */
  hasFileServer?: boolean
  /** Shell commands; `$uid` and `$gid` are whose the server's files are to be, where it mounts. */
  setUp: string
}

/**
 * A way to let a server write without changing the snapshot that it starts from. Once its launch has begun, `snapshot/` in
 * the run's directory is the server's working directory, looks like that of the backup, belongs to the caller and can be
 * written; the backup keeps every byte, mode, owner and time.
 */
export interface WorkingCopyMethod {
  kind: WorkingCopyKind
  /** Does what has to be done before the launch; returns why this way cannot be gone here, or undefined when it can. */
  prepare(request: WorkingCopyRequest, context: Context): Promise<string | undefined>
  access: WorkingCopyAccess
  /** Says in plain words what a launch that failed has said. */
  explain(failure: string): string
}
