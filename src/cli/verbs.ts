import type { Verb } from './call/verb.js'
import { completion } from './verbs/completion.js'
import { create } from './verbs/create.js'
import { remove } from './verbs/delete.js'
import { demo } from './verbs/demo.js'
import { doctor } from './verbs/doctor.js'
import { download } from './verbs/download.js'
import { hold, release } from './verbs/hold.js'
import { instanceDelete, instanceHelp, instanceList, instanceStart, instanceStop } from './verbs/instance.js'
import { list } from './verbs/list.js'
import { localRun } from './verbs/local-run.js'
import { prune } from './verbs/prune.js'
import { restore } from './verbs/restore.js'
import { schedule } from './verbs/schedule.js'
import { show } from './verbs/show.js'
import { status } from './verbs/status.js'
import { verify } from './verbs/verify.js'
import { walDropSlot, walHelp, walReceive, walStatus } from './verbs/wal.js'

/** All commands, in the order of the help. */
export const verbs: readonly Verb[] = [
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
  remove,
  prune,
  hold,
  release,
  schedule,
  status,
  doctor,
  completion,
  demo,
]

/** Words that stand before other commands: `instance list`. */
export const groups: Record<string, { description: string; help: string }> = {
  instance: { description: 'restored servers, and runs in progress', help: instanceHelp },
  wal: { description: 'the WAL archive and its receiver', help: walHelp },
}
