import { struct } from './struct.js'

/**
 * What the file server uses of the kernel's include/uapi/linux/fuse.h, under the names that it has there; the interface is 7.31 (Linux 5.4),
 * and every later kernel speaks it.
 */
export const FUSE_KERNEL_VERSION = 7
export const FUSE_KERNEL_MINOR_VERSION = 31

export const FUSE_ROOT_ID = 1

/** enum fuse_opcode; all others are answered with ENOSYS, upon which the kernel does without them. */
export const opcodes = {
  FUSE_LOOKUP: 1,
  FUSE_FORGET: 2,
  FUSE_GETATTR: 3,
  FUSE_SETATTR: 4,
  FUSE_READLINK: 5,
  FUSE_SYMLINK: 6,
  FUSE_MKNOD: 8,
  FUSE_MKDIR: 9,
  FUSE_UNLINK: 10,
  FUSE_RMDIR: 11,
  FUSE_RENAME: 12,
  FUSE_LINK: 13,
  FUSE_READ: 15,
  FUSE_WRITE: 16,
  FUSE_STATFS: 17,
  FUSE_INIT: 26,
  FUSE_OPENDIR: 27,
  FUSE_READDIR: 28,
  FUSE_RELEASEDIR: 29,
  FUSE_INTERRUPT: 36,
  FUSE_DESTROY: 38,
  FUSE_BATCH_FORGET: 42,
  FUSE_FALLOCATE: 43,
  FUSE_RENAME2: 45,
} as const

/** Flags of fuse_init_in and fuse_init_out. */
export const initFlags = {
  FUSE_ASYNC_READ: 1 << 0,
  FUSE_BIG_WRITES: 1 << 5,
  FUSE_NO_OPEN_SUPPORT: 1 << 17,
  FUSE_PARALLEL_DIROPS: 1 << 18,
  FUSE_MAX_PAGES: 1 << 22,
  FUSE_CACHE_SYMLINKS: 1 << 23,
  FUSE_EXPLICIT_INVAL_DATA: 1 << 25,
} as const

/** fuse_setattr_in.valid */
export const FATTR_MODE = 1 << 0
export const FATTR_UID = 1 << 1
export const FATTR_GID = 1 << 2
export const FATTR_SIZE = 1 << 3
export const FATTR_ATIME = 1 << 4
export const FATTR_MTIME = 1 << 5
export const FATTR_ATIME_NOW = 1 << 7
export const FATTR_MTIME_NOW = 1 << 8

/** fuse_write_in.write_flags: of a page that was written by mmap; who wrote it has long gone on. */
export const FUSE_WRITE_CACHE = 1 << 0

/** renameat2(2) */
export const RENAME_NOREPLACE = 1 << 0

export const fuse_in_header = struct({
  len: 'uint32',
  opcode: 'uint32',
  unique: 'uint64',
  nodeid: 'uint64',
  uid: 'uint32',
  gid: 'uint32',
  pid: 'uint32',
  padding: 'uint32',
})

/** `unique` is copied as it is: not a number that this side understands. */
export const fuse_out_header = struct({ len: 'uint32', error: 'int32' })
export const outHeaderSize = fuse_out_header.size + 8

export const fuse_attr = struct({
  ino: 'uint64',
  size: 'uint64',
  blocks: 'uint64',
  atime: 'int64',
  mtime: 'int64',
  ctime: 'int64',
  atimensec: 'uint32',
  mtimensec: 'uint32',
  ctimensec: 'uint32',
  mode: 'uint32',
  nlink: 'uint32',
  uid: 'uint32',
  gid: 'uint32',
  rdev: 'uint32',
  blksize: 'uint32',
  flags: 'uint32',
})

/** Followed by a fuse_attr. */
export const fuse_entry_out = struct({
  nodeid: 'uint64',
  generation: 'uint64',
  entry_valid: 'uint64',
  attr_valid: 'uint64',
  entry_valid_nsec: 'uint32',
  attr_valid_nsec: 'uint32',
})

/** Followed by a fuse_attr. */
export const fuse_attr_out = struct({ attr_valid: 'uint64', attr_valid_nsec: 'uint32', dummy: 'uint32' })

export const fuse_forget_in = struct({ nlookup: 'uint64' })
export const fuse_batch_forget_in = struct({ count: 'uint32', dummy: 'uint32' })
export const fuse_forget_one = struct({ nodeid: 'uint64', nlookup: 'uint64' })

export const fuse_setattr_in = struct({
  valid: 'uint32',
  padding: 'uint32',
  fh: 'uint64',
  size: 'uint64',
  lock_owner: 'uint64',
  atime: 'int64',
  mtime: 'int64',
  ctime: 'int64',
  atimensec: 'uint32',
  mtimensec: 'uint32',
  ctimensec: 'uint32',
  mode: 'uint32',
  unused4: 'uint32',
  uid: 'uint32',
  gid: 'uint32',
  unused5: 'uint32',
})

/** Each of the next four is followed by names, which end with a 0. */
export const fuse_mknod_in = struct({ mode: 'uint32', rdev: 'uint32', umask: 'uint32', padding: 'uint32' })
export const fuse_mkdir_in = struct({ mode: 'uint32', umask: 'uint32' })
export const fuse_rename_in = struct({ newdir: 'uint64' })
export const fuse_rename2_in = struct({ newdir: 'uint64', flags: 'uint32', padding: 'uint32' })

export const fuse_read_in = struct({
  fh: 'uint64',
  offset: 'uint64',
  size: 'uint32',
  read_flags: 'uint32',
  lock_owner: 'uint64',
  flags: 'uint32',
  padding: 'uint32',
})

/** Followed by the bytes. */
export const fuse_write_in = struct({
  fh: 'uint64',
  offset: 'uint64',
  size: 'uint32',
  write_flags: 'uint32',
  lock_owner: 'uint64',
  flags: 'uint32',
  padding: 'uint32',
})
export const fuse_write_out = struct({ size: 'uint32', padding: 'uint32' })

export const fuse_fallocate_in = struct({
  fh: 'uint64',
  offset: 'uint64',
  length: 'uint64',
  mode: 'uint32',
  padding: 'uint32',
})

export const fuse_open_out = struct({ fh: 'uint64', open_flags: 'uint32', padding: 'uint32' })
export const fuse_release_in = struct({
  fh: 'uint64',
  flags: 'uint32',
  release_flags: 'uint32',
  lock_owner: 'uint64',
})

/** Followed by the name, and as many zeros as make it a multiple of 8 bytes. */
export const fuse_dirent = struct({ ino: 'uint64', off: 'uint64', namelen: 'uint32', type: 'uint32' })

export const fuse_init_in = struct({
  major: 'uint32',
  minor: 'uint32',
  max_readahead: 'uint32',
  flags: 'uint32',
})
export const fuse_init_out = struct({
  major: 'uint32',
  minor: 'uint32',
  max_readahead: 'uint32',
  flags: 'uint32',
  max_background: 'uint16',
  congestion_threshold: 'uint16',
  max_write: 'uint32',
  time_gran: 'uint32',
  max_pages: 'uint16',
  map_alignment: 'uint16',
  unused1: 'uint64',
  unused2: 'uint64',
  unused3: 'uint64',
  unused4: 'uint64',
})

export const fuse_kstatfs = struct({
  blocks: 'uint64',
  bfree: 'uint64',
  bavail: 'uint64',
  files: 'uint64',
  ffree: 'uint64',
  bsize: 'uint32',
  namelen: 'uint32',
  frsize: 'uint32',
  padding: 'uint32',
  spare1: 'uint64',
  spare2: 'uint64',
  spare3: 'uint64',
})
