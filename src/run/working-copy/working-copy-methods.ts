import { copy, reflink } from './cloned-copy.js'
import { overlay } from './overlay.js'
import { reflinkObstacle } from './reflinks.js'
import { thin } from './thin.js'
import type { WorkingCopyKind, WorkingCopyMethod, WorkingCopyRequest } from './working-copy.js'

/** What is wanted of the choice. */
export interface WorkingCopyWish {
  workingCopy: WorkingCopyKind | 'auto'
  /** One that has failed only after its server had started; it is not tried again. */
  failed?: { kind: WorkingCopyKind; reason: string } | undefined
}

/** Which ways to try. */
interface WorkingCopyChoice {
  /** The best one first. */
  methods: readonly WorkingCopyMethod[]
  /** Why better ones are not among them. */
  obstacles: string[]
  /** Whether files that are copied share their blocks with the backup's. */
  hasReflinks: boolean
}

/**
 * From the best to the one that always works. Where there are reflinks, an overlay copies a file by one (ovl_copy_up_file() in the
 * kernel's fs/overlayfs/copy_up.c), and needs no file server.
 */
const withReflinks = [overlay, reflink, thin, copy]
const withoutReflinks = [thin, overlay, copy]

/** The ways that a wish leaves, for a run whose directory is there. */
export async function methodsFor(
  { workingCopy: wish, failed }: WorkingCopyWish,
  request: WorkingCopyRequest,
  signal: AbortSignal,
): Promise<WorkingCopyChoice> {
  const failure = failed ? [`no ${failed.kind}: ${failed.reason}`] : []
  const untried = (methods: WorkingCopyMethod[]) => methods.filter(({ kind }) => kind !== failed?.kind)
  // What it reads may be somebody else's, and lead anywhere: that is left to its file server.
  if (wish === 'thin') return { methods: untried([thin]), obstacles: failure, hasReflinks: false }
  const obstacle = await reflinkObstacle(request, signal)
  const hasReflinks = obstacle === undefined
  if (wish !== 'auto') {
    const methods = [overlay, reflink, copy].filter(({ kind }) => kind === wish)
    return { methods, obstacles: [], hasReflinks }
  }
  const methods = untried(hasReflinks ? withReflinks : withoutReflinks)
  return { methods, obstacles: hasReflinks ? failure : [`no reflink: ${obstacle}`, ...failure], hasReflinks }
}
