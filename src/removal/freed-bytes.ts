import type { LocalBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { runProgram } from '../system/program/run-program.js'

/**
 * Bytes that the disk gets back when one backup goes. Where it shares blocks with others those stay, and the file system is asked
 * (filefrag(8), by FIEMAP); without that program, what was counted when it was made.
 * @param all backups of the root.
 */
export async function freedBytes(
  { id, directory, ownBytes, summary }: LocalBackup,
  all: readonly LocalBackup[],
  context: Context,
): Promise<number> {
  const shares = summary.shared || all.some((one) => one.summary.shared?.with.includes(id))
  return (shares ? await unsharedBytes(directory, context) : undefined) ?? ownBytes
}

export interface FreedBytes {
  bytes: number
  /** Otherwise it is more. */
  isExact: boolean
}

/** The same for several, which is more where they share blocks with each other alone: then it is not exact. */
export async function freedByAll(
  going: readonly LocalBackup[],
  all: readonly LocalBackup[],
  context: Context,
): Promise<FreedBytes> {
  let bytes = 0
  for (const backup of going) bytes += await freedBytes(backup, all, context)
  return { bytes, isExact: going.length === 1 || going.every(({ summary }) => summary.shared === undefined) }
}

const script = `PATH=$PATH:/usr/sbin:/sbin
command -v filefrag >/dev/null && find -P "$1" -type f -size +0 -exec filefrag -v {} +`

/** What no other backup has a part in; undefined where that cannot be asked. WAL is shared with the archive beside it alone. */
async function unsharedBytes(directory: string, { env, signal }: Context): Promise<number | undefined> {
  let sum = 0
  let blockSize = 0
  let isOwn = false
  const { status } = await runProgram('sh', ['-c', script, 'sh', directory], {
    env,
    signal,
    onLine: (line) => {
      const [, path, ofFile] = /^File size of (.*) is \d+ \(\d+ blocks? of (\d+) bytes\)$/.exec(line) ?? []
      if (path !== undefined) {
        blockSize = Number(ofFile)
        isOwn = path.startsWith(`${directory}/snapshot/data/pg_wal/`)
      }
      const [, blocks, flags = ''] = extent.exec(line) ?? []
      if (blocks === undefined || /\binline\b/.test(flags)) return
      if (isOwn || !/\bshared\b/.test(flags)) sum += Number(blocks) * blockSize
    },
    onErrorLine: () => {},
  })
  return status === 0 ? sum : undefined
}

/** As `   0:        0..    2559:        128..      2687:   2560:       4000: last,shared,eof`; small files of Btrfs are inline, and their lengths bytes. */
const extent = /^ *\d+: +\d+\.\. *\d+: +\d+\.\. *\d+: +(\d+):(?: +\d+:)? ?(.*)$/
