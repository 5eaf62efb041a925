import { idMeaning } from '../options.js'
import type { Verb } from '../verb.js'

export const download: Verb = {
  name: 'download',
  description: 'bring a backup of another root here',
  takesTime: true,
  declare: (command) =>
    command
      .argument('<id>', `${idMeaning}, of the source`)
      .option('--from <source>', 'where from: DIR or [USER@]HOST:DIR (default: source of the configuration)')
      .option('--to <dir>', 'the root to bring it to (default: as --root)')
      .option('--no-wal', 'of the WAL archive only what the snapshot itself needs')
      .option('--replace', 'replace the one here that is used, or half there')
      .option('--new-cluster', 'the root belongs to another cluster from now on'),
  async run({ ids: [id = ''], options, settings, context }) {
    const { download } = await import('../../commands/download.js')
    const result = await download(id, options, settings, context)
    const { downloadJson, downloadText } = await import('../../terminal/download-view.js')
    return { json: () => downloadJson(result), text: (screen) => downloadText(result, screen) }
  },
  help: `
Copies a backup into data/backup/<id>/ of this root: a writable one of your own.
It is checked against its manifest, and listed only when it is whole. What has
come of one that was interrupted is kept, and the next download goes on there.

A SOURCE is a directory that holds data/, or [USER@]HOST:DIR as in scp: your own
ssh with your own configuration, and on the other side no more than sh, cat,
find and tar. Compression is ssh's: "Compression yes" in ~/.ssh/config.

Started by root, pgbk works as the user run_as (default: postgres), and ssh uses
that user's keys.

Examples:
  pgbk download latest --from postgres@db1:/var/backups/pg && pgbk local-run
  pgbk download 20261120 --from /mnt/nas/backups --to ~/copies
  pgbk download latest --no-wal                 (source is in .pgbkrc.yaml)
`,
}
