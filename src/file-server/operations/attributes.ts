import type { Time } from '../origin/origin.js'
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_GID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
  fuse_setattr_in,
  opcodes,
} from '../protocol/fuse.js'
import { Refusal } from '../protocol/refusal.js'
import { timeNow } from '../tree/node.js'
import { attributesAnswer } from './answers.js'
import { body, type FileSystem, type Operation } from './operation.js'

type Wanted = ReturnType<typeof fuse_setattr_in.read>

export function attributesOperations(fileSystem: FileSystem): Record<number, Operation> {
  const { tree, owner } = fileSystem
  return {
    [opcodes.FUSE_GETATTR]: ({ nodeid }, answer) => attributesAnswer(fileSystem, tree.node(nodeid), answer),

    [opcodes.FUSE_SETATTR]: ({ nodeid, bytes }, answer) => {
      const wanted = fuse_setattr_in.read(bytes, body)
      const has = (flag: number) => (wanted.valid & flag) !== 0
      if ((has(FATTR_UID) && wanted.uid !== owner.uid) || (has(FATTR_GID) && wanted.gid !== owner.gid))
        throw new Refusal('EPERM')
      const node = tree.node(nodeid)
      if (has(FATTR_SIZE)) {
        const file = tree.file(nodeid)
        file.contents.resize(wanted.size)
        file.touch()
      }
      if (has(FATTR_MODE)) node.setPermissions(wanted.mode & 0o7777)
      node.setTimes(timesOf(wanted))
      return attributesAnswer(fileSystem, node, answer)
    },
  }
}

function timesOf({ valid, atime, atimensec, mtime, mtimensec }: Wanted): { atime?: Time; mtime?: Time } {
  const times: { atime?: Time; mtime?: Time } = {}
  if (valid & FATTR_ATIME) times.atime = { seconds: atime, nanoseconds: atimensec }
  if (valid & FATTR_MTIME) times.mtime = { seconds: mtime, nanoseconds: mtimensec }
  if (valid & FATTR_ATIME_NOW) times.atime = timeNow()
  if (valid & FATTR_MTIME_NOW) times.mtime = timeNow()
  return times
}
