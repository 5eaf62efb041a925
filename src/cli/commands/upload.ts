import { PgbkError } from '../../errors.js'
import type { UploadOptions } from '../../upload/upload.js'
import type { Upload } from '../../upload/upload-one.js'
import type { CommandSpec, Outcome } from '../call/command-spec.js'
import { idMeaning, storeMeaning } from '../call/options.js'

export const upload: CommandSpec<UploadOptions> = {
  name: 'upload',
  description: 'bring a backup to a store, packed',
  takesTime: true,
  tellsHooks: () => true,
  declare: (command) =>
    command
      .argument('[id]', `${idMeaning} (default: latest)`)
      .option('--to <store>', `where to: ${storeMeaning}`)
      .option('--all', 'all that the store does not have yet, the oldest first')
      .option('--new-cluster', 'the store gets backups of another cluster from now on'),
  faultOf: ({ ids, words, options: { all } }) => {
    if (words !== undefined) return 'upload takes no COMMAND after --'
    return all && ids.length > 0 ? '--all takes no id' : undefined
  },
  async run(call) {
    const { upload: uploadBackups } = await import('../../upload/upload.js')
    const uploads = await uploadBackups(call.ids[0], call.options, call)
    const { uploadJson, uploadText } = await import('../../terminal/store-views/upload-view.js')
    return {
      ...failureOf(uploads),
      id: uploads.length === 1 ? uploads[0]?.backup.id : undefined,
      json: () => uploadJson(uploads),
      text: (screen) => uploadText(uploads, screen),
    }
  },
  help: `
A store holds packed backups in the layout of a root: an object store, a
directory that may be mounted, or one on a host where ssh gives a shell. A copy
of it, made by any tool, is a root.

What is plain is packed beside it first, and keeps its own form. Image, README
and WAL are sent, in parts where they are large; the record comes last, so that
nothing half there is listed. What a killed upload has sent is not sent again.
A backup that is there already gets the WAL that has come since.

Without --to it goes to every store of the configuration but those that say
"upload: never". With several, the failure of one keeps no other from being tried.

Needs squashfs-tools, and squashfuse with /dev/fuse, for a backup that is plain.

Examples:
  pgbk upload
  pgbk upload 20261120T030000Z --to /mnt/nas/pg
  pgbk upload --all --to offsite
`,
}

/** Of several, each of which was tried: the first one's code. */
function failureOf(uploads: Upload[]): Pick<Outcome, 'failure'> {
  const failures = uploads.flatMap(({ error }) => error ?? [])
  const [first] = failures
  if (!first) return {}
  const message = `${failures.length} of ${uploads.length} uploads failed: ${first.message}`
  return { failure: new PgbkError(first.code, message) }
}
