import { accessSync, constants } from 'node:fs'
import type { Context } from '../context.js'
import { systemReason } from '../errors.js'
import { findInPath } from '../system/paths/search-path.js'

/** What this machine lacks, in plain words, for making and unpacking images, and for mounting them. */
export interface ImageObstacles {
  making: string[]
  mounting: string[]
}

export function imageObstacles({ env }: Pick<Context, 'env'>): ImageObstacles {
  const lacks = (program: string) => findInPath(program, env.PATH) === undefined
  return {
    making: ['mksquashfs', 'unsquashfs'].filter(lacks).map((program) => `no ${program}`),
    mounting: [
      ...(['squashfuse_ll', 'squashfuse'].every(lacks) ? ['no squashfuse'] : []),
      ...deviceObstacles(),
    ],
  }
}

function deviceObstacles(): string[] {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
    return []
  } catch (error) {
    return [`/dev/fuse cannot be opened (${systemReason(error)})`]
  }
}
