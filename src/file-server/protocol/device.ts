import { systemCode } from '../../errors.js'

/** Why a read of /dev/fuse gave no request: nothing is mounted any more, or not yet, or it was interrupted or taken back. */
export type NoRequest = 'over' | 'not mounted' | 'none'

/** What an error of such a read means (fuse_dev_do_read in fs/fuse/dev.c of Linux). @throws any other error. */
export function noRequest(error: unknown): NoRequest {
  const code = systemCode(error) ?? ''
  if (code === 'ENODEV') return 'over'
  if (code === 'EPERM') return 'not mounted'
  if (['EINTR', 'EAGAIN', 'ENOENT'].includes(code)) return 'none'
  throw error
}

/** Lets go of an answer for which nobody waits: who asked has been killed, or the file system is gone. @throws any other error. */
export function unlessNobodyWaits(error: unknown): void {
  if (!['ENOENT', 'ENODEV'].includes(systemCode(error) ?? '')) throw error
}
