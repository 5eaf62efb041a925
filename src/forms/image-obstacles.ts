import { accessSync, constants } from 'node:fs'
import type { Context } from '../context.js'
import { PgbkError, systemReason } from '../errors.js'
import { runProgram } from '../system/program/run-program.js'

/** What this machine lacks, in plain words, for making and unpacking images, and for mounting them. */
export interface ImageObstacles {
  making: string[]
  mounting: string[]
}

export async function imageObstacles(context: Pick<Context, 'env' | 'signal'>): Promise<ImageObstacles> {
  const [packs, unpacks, mounts, mountsToo] = await Promise.all(
    ['mksquashfs', 'unsquashfs', 'squashfuse_ll', 'squashfuse'].map((program) => isThere(program, context)),
  )
  return {
    making: [...(packs ? [] : ['no mksquashfs']), ...(unpacks ? [] : ['no unsquashfs'])],
    mounting: [...(mounts || mountsToo ? [] : ['no squashfuse']), ...deviceObstacles()],
  }
}

async function isThere(program: string, { env, signal }: Pick<Context, 'env' | 'signal'>): Promise<boolean> {
  try {
    await runProgram(program, ['-version'], { env, signal })
    return true
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'programs-missing') return false
    throw error
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
