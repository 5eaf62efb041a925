import { messageOf } from '../../errors.js'
import type { Psql } from '../../postgres/connection/psql.js'
import { waitEventOf } from '../../postgres/server/wal-senders.js'
import type { Progress } from '../../progress.js'

const explanations: Record<string, string> = {
  BackupWaitWalArchive:
    'the server waits for its archive_command to archive the last WAL segment; look at its log, the command may be failing',
  CheckpointDone: 'the server is still writing its checkpoint; --checkpoint fast makes it hurry',
  CheckpointStart: 'the server waits for another checkpoint to end before it begins its own',
}

interface WaitEventWatch {
  /** Tells the watch about activity and passes everything on. */
  progress: Progress
  stop(): void
}

/** Watches a backup, and once nothing has moved for `afterMs` says what the server waits for. */
export function watchWaitEvents(
  psql: Psql,
  applicationName: string,
  progress: Progress,
  afterMs = 60_000,
): WaitEventWatch {
  let lastBytes = 0
  let said: string | undefined
  const explain = async () => {
    try {
      const event = await waitEventOf(psql, applicationName)
      if (event !== undefined && event !== said)
        progress.say(`${explanations[event] ?? event} (wait event ${event})`)
      said = event
    } catch (error) {
      progress.detail(`cannot ask the server what it waits for: ${messageOf(error)}`)
    }
  }
  const timer = setInterval(explain, afterMs)
  return {
    stop: () => clearInterval(timer),
    progress: {
      ...progress,
      bytes: (done, total) => {
        if (done !== lastBytes) timer.refresh()
        lastBytes = done
        progress.bytes(done, total)
      },
    },
  }
}
