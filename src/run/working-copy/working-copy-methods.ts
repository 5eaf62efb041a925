import { copy, reflink } from './cloned-copy.js'
import { overlay } from './overlay.js'
import { thin } from './thin.js'
import type { WorkingCopyKind, WorkingCopyMethod } from './working-copy.js'

/** From the best to the one that always works. */
export const workingCopyMethods: readonly WorkingCopyMethod[] = [overlay, reflink, copy]

/** Those that a wish leaves; what is not in that list has to be asked for by its name. */
export function methodsFor(wish: WorkingCopyKind | 'auto'): readonly WorkingCopyMethod[] {
  return wish === 'auto'
    ? workingCopyMethods
    : [...workingCopyMethods, thin].filter(({ kind }) => kind === wish)
}
