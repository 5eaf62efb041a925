import { resolve } from 'node:path'
import { Option } from 'commander'
import type { Task } from '../../config/load.js'
import type { DownloadOptions } from '../../download/download.js'
import type { ArchiveOptions } from '../../download/download-archive.js'
import type { CommandSpec, Outcome } from '../call/command-spec.js'
import { idMeaning, sourceMeaning } from '../call/options.js'
import { standInFor } from '../call/stand-in.js'

async function archive(id: string, options: ArchiveOptions, task: Task): Promise<Outcome> {
  const { downloadArchive } = await import('../../download/download-archive.js')
  const result = await downloadArchive(id, options, task)
  const { archiveJson, archiveText } = await import('../../terminal/views/download-view.js')
  return { json: () => archiveJson(result), text: (screen) => archiveText(result, screen) }
}

interface Options extends DownloadOptions, Partial<ArchiveOptions> {}

export const download: CommandSpec<Options> = {
  name: 'download',
  description: 'copy a backup from another root to this one',
  takesTime: true,
  declare: (command) =>
    command
      .argument('<id>', `${idMeaning}, of the source`)
      .option('--from <source>', `where from: ${sourceMeaning}`)
      .option('--to <dir>', 'the root to copy it to (default: as --root)')
      .option('--archive <file>', 'write one tar instead: .tar, .tar.gz, .tar.zst, or - for standard output')
      .addOption(
        new Option('--compress <way>', 'for --archive - (default: none)').choices(['none', 'gzip', 'zstd']),
      )
      .option('--no-wal', 'of the WAL archive only what the snapshot itself needs')
      .option('--replace', 'replace a backup here that is used or incomplete')
      .option('--new-cluster', 'the root belongs to another cluster from now on'),
  faultOf({ words, options: { archive, compress, to, newCluster }, globals }) {
    if (words !== undefined) return 'download takes no COMMAND after --'
    if (archive === undefined) return compress ? '--compress is for --archive -' : undefined
    if (to !== undefined || newCluster) return '--archive cannot be combined with --to or --new-cluster'
    if (archive !== '-')
      return compress ? '--compress is for --archive -; a file says it by its name' : undefined
    return globals.json
      ? 'with --archive -, standard output is the archive: --json cannot be used'
      : undefined
  },
  standIn: ({ options: { archive, from, to }, settings, context }) =>
    archive === undefined
      ? { as: 'run_as', root: to === undefined ? settings.root : resolve(context.cwd, to), makes: 'backups' }
      : standInFor(from, settings, context, settings.root),
  async run(call) {
    const {
      ids: [id = ''],
      options,
    } = call
    const { archive: file } = options
    if (file !== undefined) return archive(id, { ...options, archive: file }, call)
    const { download } = await import('../../download/download.js')
    const result = await download(id, options, call)
    const { downloadJson, downloadText } = await import('../../terminal/views/download-view.js')
    return { json: () => downloadJson(result), text: (screen) => downloadText(result, screen) }
  },
  help: `
Copies a backup into data/backup/<id>/ of this root: a writable one of your own.
It is checked against its manifest, and listed only when it is complete. What an
interrupted download has copied is kept, and the next one continues there.

A SOURCE is a directory that holds data/, or [USER@]HOST:DIR as in scp: your own
ssh with your own configuration, and on the other side no more than sh, cat,
find and tar. Compression is ssh's: "Compression yes" in ~/.ssh/config.
Or it is s3://BUCKET[/PREFIX], with credentials as every S3 tool takes them, or the
name of a store in .pgbkrc.yaml.

Started by root, pgbk works as the user run_as (default: postgres), and ssh uses
that user's keys. With --archive, a source here is read as its owner; where that
user may not write the file, let the shell do it: --archive - >FILE.

With --archive the result is one tar with data/backup/<id>/ in it, from this root
or from a source; it is unpacked in a root, by any tar. Names and sizes of all
files are checked on the way; pgbk verify checks their contents after unpacking.

Examples:
  pgbk download latest --from postgres@db1:/var/backups/pg && pgbk local-run
  pgbk download 20261120 --from /mnt/nas/backups --to ~/copies
  pgbk download latest --no-wal                 (source is in .pgbkrc.yaml)
  pgbk download latest --archive backup.tar.zst
  pgbk download latest --archive - --compress gzip | ssh db2 tar -xzf - -C /srv/pg
`,
}
