import type { LocalBackup } from '../../catalog/backup.js'
import { resultOf } from '../../catalog/proof.js'
import type { CreateOptions } from '../../create/create.js'
import { PgbkError } from '../../errors.js'
import type { UploadCreatedOptions } from '../../upload/upload-created.js'
import type { Upload } from '../../upload/upload-one.js'
import type { Call, CommandSpec, Outcome } from '../call/command-spec.js'
import { addConnectionOptions, checkpointOption, sandboxOption } from '../call/options.js'

interface Options extends CreateOptions, UploadCreatedOptions {}

export const create: CommandSpec<Options> = {
  name: 'create',
  description: 'back up the server',
  takesTime: true,
  tellsHooks: () => true,
  declare: (command) =>
    addConnectionOptions(
      command
        .option('--label <text>', 'a line that says what this backup is for')
        .option('--scheduled', 'mark it as made by a schedule')
        .addOption(checkpointOption())
        .option('--max-rate <rate>', 'limit the transfer: kilobytes per second, or 800k, 50M')
        .option('--packed', 'as one compressed image (see pgbk pack --help)')
        .option('--no-verify', 'do not run pg_verifybackup')
        .option('--independent', 'share no blocks with earlier backups (XFS, Btrfs)')
        .option('--prove', 'really start the finished backup and read it, as pgbk verify --prove')
        .addOption(sandboxOption())
        .option('--upload', 'then bring it to the stores (see pgbk upload --help)')
        .option('--no-upload', 'to none of them, whatever the configuration says')
        .option('--new-cluster', 'the root belongs to another cluster from now on'),
    ),
  standIn: ({ settings: { root } }) => ({ as: 'run_as', root, makes: 'backups' }),
  async run(call) {
    const { create } = await import('../../create/create.js')
    // commander's default for --no-verify is true, and would beat the configuration.
    const { verify, ...given } = call.options
    const stores = await storesFor(call)
    const backup = await create(verify === false ? { ...given, verify } : given, call)
    const uploads = await uploadTo(stores, backup, call)
    const { createJson, createText } = await import('../../terminal/views/create-view.js')
    const made = { ...failureOf(backup), id: backup.id }
    if (uploads.length === 0)
      return { ...made, json: () => createJson(backup), text: (screen) => createText(backup, screen) }
    const { uploadJson, uploadText } = await import('../../terminal/store-views/upload-view.js')
    return {
      ...made,
      json: () => ({ ...createJson(backup), ...uploadJson(uploads) }),
      // Each may have nothing to say where nobody looks.
      text: (screen) => [createText(backup, screen), uploadText(uploads, screen)].filter(Boolean).join('\n'),
    }
  },
  help: `
Runs pg_basebackup and writes data/backup/<id>/: the snapshot, its
configuration, and the WAL that belongs to it, checked by pg_verifybackup. It is
listed only when it is whole; one that fails or is interrupted leaves nothing.

The role needs LOGIN and REPLICATION and a "replication" line in pg_hba.conf,
the server two free WAL senders. With more rights (a superuser, or pg_monitor
and pg_read_server_files and EXECUTE on pg_read_file(text)) the server's own
configuration files are copied too. Passwords come from ~/.pgpass, PGPASSWORD, a
service file, or the connection string.

On a file system with reflinks (XFS, Btrfs) the new backup shares the blocks
that have not changed with the one before it.
With --packed, what the server sends goes straight into the image, which
pg_verifybackup then reads; the server keeps its WAL until all else is sent.
With further tablespaces it is copied in full first, which needs room for both.

With --prove, a failed proof ends the command with status 6. If this machine
cannot prove the backup (see pgbk verify --help), that is only a warning.

With --upload, and where the configuration says "upload: always" (or scheduled)
of a store, it is brought there when it is made, after those that could not be
before. What fails there is a warning: the backup is made, and the next create
tries again.

Started by root, pgbk works as the user run_as (default: postgres).

Examples:
  pgbk create
  pgbk create --label "before the upgrade to 4.2"
  pgbk create -h db1 -p 5432 -U backup -C /srv/backups/db1
  pgbk create -d "postgresql://backup@db1/app?sslmode=verify-full"
  pgbk create --scheduled --quiet --max-rate 50M     (for cron)
`,
}

/** @throws {PgbkError} `usage`, before anything is done. */
async function storesFor({ options, settings }: Call<Options>): Promise<string[]> {
  if (options.upload !== true && Object.keys(settings.stores).length === 0) return []
  const { storesOfCreate } = await import('../../upload/upload-created.js')
  return storesOfCreate(options, settings)
}

async function uploadTo(stores: string[], backup: LocalBackup, call: Call<Options>): Promise<Upload[]> {
  if (stores.length === 0) return []
  const { uploadCreated } = await import('../../upload/upload-created.js')
  return uploadCreated(backup, stores, call.options, call)
}

/** The backup stays, for somebody to look at; "latest" skips it. */
function failureOf({ id, proof }: LocalBackup): Pick<Outcome, 'failure'> {
  if (proof === undefined || proof === 'unreadable' || resultOf(proof) !== 'failed') return {}
  return { failure: new PgbkError('check-failed', `backup ${id} is not proven: ${proof.faults.join('; ')}`) }
}
