import type { Verb } from './verb.js'
import { create } from './verbs/create.js'
import { remove } from './verbs/delete.js'
import { demo } from './verbs/demo.js'
import { hold, release } from './verbs/hold.js'
import { instanceHelp, instanceList, instanceStop } from './verbs/instance.js'
import { list } from './verbs/list.js'
import { localRun } from './verbs/local-run.js'
import { prune } from './verbs/prune.js'
import { show } from './verbs/show.js'
import { verify } from './verbs/verify.js'

/** All commands, in the order of the help. */
export const verbs: readonly Verb[] = [
  create,
  list,
  show,
  verify,
  remove,
  hold,
  release,
  prune,
  localRun,
  instanceList,
  instanceStop,
  demo,
]

/** Words that stand before other commands: `instance list`. */
export const groups: Record<string, { description: string; help: string }> = {
  instance: { description: 'runs that go on', help: instanceHelp },
}
