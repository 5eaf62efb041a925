import { layoutOf, plainSnapshotOf } from '../catalog/backup.js'
import { type InstanceLayout, rootLayout } from '../catalog/layout.js'
import type { BackupRef } from '../catalog/removed-meanwhile.js'
import { type RestoreClaim, restoreClaimsIn } from '../catalog/restore-note.js'
import { type UploadNote, uploadsIn } from '../catalog/uploads/upload-note.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { runningServer } from '../postgres/local/running.js'
import { hasToReplay, readInstances } from '../restore/instance/instance.js'
import { findRuns, isRunning } from '../run/directory/run-directory.js'
import { mostBytes, readSmallIfThere } from '../system/files/read-small.js'
import { shellWord } from '../text/shell-word.js'
import { readAliveReceiver } from '../wal-archive/receiver-state.js'
import { backupAfter, isOfCluster } from '../wal-receiver/find-backup.js'

/** Something that goes on with a backup, so that it must not be removed now. */
export interface InUse {
  /** `the run 20261120T030000Z-48213` */
  by: string
  /** How to end it. */
  hint: string
}

/** Looks at once for all that goes on in a root; the function then tells what of it concerns a backup. */
export function findInUse(root: string, context: Context): (backup: BackupRef) => InUse[] {
  const runs = findRuns(root, context).filter(isRunning)
  // The notes first: a restore takes its note back when its instance is there, which then tells by itself.
  const needs = restoreClaimsIn(rootLayout(root))
  const uploads = uploadsIn(rootLayout(root)).filter(({ life }) => life !== 'gone')
  const waiting = readInstances(root).instances.filter(({ layout }) => hasToReplay(layout))
  const handsOver = pendingHandOver(root, context)
  return (wanted) => [
    ...byServer(runningServer(plainSnapshotOf(wanted).data)),
    ...needs.filter(({ backup, archives }) => [backup, ...archives].includes(wanted.id)).map(byRestore),
    ...uploads.filter(({ backup }) => backup === wanted.id).map(byUpload),
    ...(handsOver === wanted.id ? [byReceiver(context)] : []),
    ...runs
      .filter(({ marker }) => [marker.backup, ...(marker.archives ?? [])].includes(wanted.id))
      .map(({ name }) => ({
        by: `the run ${name}`,
        hint: `End it first:\n  ${context.pgbk(`instance stop ${name}`)}`,
      })),
    ...waiting
      .filter(
        ({ record, layout: instance }) =>
          record.backup === wanted.id || replaysFrom(instance, layoutOf(wanted).wal),
      )
      .map(({ name }) => ({
        by: `the instance ${name}, which has not replayed its WAL yet`,
        hint: `Let it do so:\n  ${context.pgbk(`instance start ${name}`)}`,
      })),
  ]
}

/**
 * Makes sure that nobody needs these backups at this moment.
 * @throws {PgbkError} `failed`, naming the server, run or instance that does.
 */
export function checkNotInUse(backups: BackupRef[], root: string, context: Context): void {
  const inUseBy = findInUse(root, context)
  for (const backup of backups) {
    const [use] = inUseBy(backup)
    if (use) throw new PgbkError('failed', `backup ${backup.id} is in use by ${use.by}`, { hint: use.hint })
  }
}

/** Whether its WAL lies in this archive too. */
function replaysFrom({ recoveryConf }: InstanceLayout, archive: string): boolean {
  return (
    readSmallIfThere(recoveryConf, mostBytes.conf)?.includes(`${archive.split('/').slice(-2).join('/')}`) ??
    false
  )
}

/** Until a receiver goes on with a newer backup, the archive of the older one has WAL that the newer one lacks. */
function pendingHandOver(root: string, context: Context): string | undefined {
  const layout = rootLayout(root)
  const receiver = readAliveReceiver(layout, context.now())
  if (!receiver?.backup) return undefined
  const newer = backupAfter(layout, receiver.backup, isOfCluster(receiver.system_identifier ?? ''))
  return newer && receiver.backup
}

function byReceiver({ pgbk }: Context): InUse {
  return {
    by: 'pgbk wal receive: a newer backup has not taken over its WAL archive yet',
    hint: `It will in a moment; this shows when:\n  ${pgbk('wal status')}`,
  }
}

function byRestore({ data, state, note }: RestoreClaim): InUse {
  if (state === 'being filled') return { by: `a restore into ${data}`, hint: 'Let it end.' }
  if (state === 'perhaps being filled')
    return {
      by: `a restore into ${data}, which may be running in another container or on another machine`,
      hint: `Let it end; or, if none is running (has this machine been restarted since?):  rm ${shellWord(note)}`,
    }
  return {
    by: `the restored data directory ${data}, which has not replayed its WAL yet`,
    hint: `Start its server once; or, if that directory is no longer wanted:  rm ${shellWord(note)}`,
  }
}

function byUpload({ life, files }: UploadNote): InUse {
  if (life === 'alive') return { by: 'an upload', hint: 'Let it end.' }
  return {
    by: 'an upload, which may be running in another container or on another machine',
    hint: `Let it end; or, if none is running (has this machine been restarted since?):  rm -r ${shellWord(files.directory)}`,
  }
}

function byServer(pid: number | undefined): InUse[] {
  if (pid === undefined) return []
  return [{ by: `a server that is running in its snapshot (process ${pid})`, hint: 'Stop it first.' }]
}
