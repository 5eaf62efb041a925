import type { CommandSpec } from './call/command-spec.js'
import { completion } from './commands/completion.js'
import { create } from './commands/create.js'
import { remove } from './commands/delete.js'
import { demo } from './commands/demo.js'
import { doctor } from './commands/doctor.js'
import { download } from './commands/download.js'
import { hold, release } from './commands/hold.js'
import {
  instanceDelete,
  instanceHelp,
  instanceList,
  instanceStart,
  instanceStop,
} from './commands/instance.js'
import { keyHelp, keyNew, keyShow } from './commands/key.js'
import { list } from './commands/list.js'
import { localRun } from './commands/local-run.js'
import { pack, unpack } from './commands/pack.js'
import { prune } from './commands/prune.js'
import { restore } from './commands/restore.js'
import { schedule } from './commands/schedule.js'
import { show } from './commands/show.js'
import { status } from './commands/status.js'
import { upload } from './commands/upload.js'
import { verify } from './commands/verify.js'
import { walDropSlot, walHelp, walReceive, walStatus } from './commands/wal.js'

/** All commands, in the order of the help. */
export const commandSpecs: readonly CommandSpec[] = [
  create,
  list,
  show,
  download,
  localRun,
  restore,
  instanceList,
  instanceStart,
  instanceStop,
  instanceDelete,
  walReceive,
  walStatus,
  walDropSlot,
  verify,
  pack,
  unpack,
  upload,
  remove,
  prune,
  hold,
  release,
  keyNew,
  keyShow,
  schedule,
  status,
  doctor,
  completion,
  demo,
]

/** Words that stand before other commands: `instance list`. */
export const groups: Record<string, { description: string; help: string }> = {
  instance: { description: 'restored servers, and runs in progress', help: instanceHelp },
  key: { description: 'identities that decrypt backups', help: keyHelp },
  wal: { description: 'the WAL archive and its receiver', help: walHelp },
}
