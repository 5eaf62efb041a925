import { copy, reflink } from './cloned-copy.js'
import { overlay } from './overlay.js'
import type { WorkingCopyMethod } from './working-copy.js'

/** From the best to the one that always works. */
export const workingCopyMethods: readonly WorkingCopyMethod[] = [overlay, reflink, copy]
