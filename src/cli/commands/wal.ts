import { Option } from 'commander'
import type { Task } from '../../config/load.js'
import type { ConnectionFlags } from '../../postgres/connection/connection.js'
import type { WalSender } from '../../upload/receiving/wal-sender.js'
import type { DropSlotOptions } from '../../wal-receiver/drop-slot.js'
import type { CommandSpec } from '../call/command-spec.js'
import { addConnectionOptions } from '../call/options.js'

export const walHelp = `
A backup's wal/ begins with the segments that its snapshot needs. The receiver
keeps it growing, so that the backup can be restored to any later moment.

Examples:
  pgbk wal receive -h db1 -U backup -C /srv/backups/db1
  pgbk wal status
`

interface ReceiveOptions extends ConnectionFlags {
  sends?: string
}

export const walReceive: CommandSpec<ReceiveOptions> = {
  name: 'wal receive',
  description: 'keep the WAL archive of the newest backup growing',
  declare: (command) =>
    // How pgbk calls the one that sends WAL to stores: upload/receiving/wal-sender.ts.
    addConnectionOptions(command).addOption(new Option('--sends <stores>').hideHelp()),
  faultOf({ globals, words }) {
    if (words !== undefined) return 'wal receive takes no COMMAND after --'
    return globals.json
      ? 'wal receive runs until it is ended, and has no result: --json cannot be used'
      : undefined
  },
  standIn: ({ settings: { root } }) => ({ as: 'owner', root, makes: 'backups' }),
  async run(call) {
    const { options, settings } = call
    if (options.sends !== undefined) return send(options.sends, call)
    const { receiveWal } = await import('../../wal-receiver/receive-wal.js')
    if (Object.values(settings.stores).every(({ upload }) => upload === 'never'))
      return receiveWal(options, call)
    const { startWalSender } = await import('../../upload/receiving/wal-sender.js')
    let sender: WalSender | undefined
    try {
      return await receiveWal(options, call, () => {
        sender = startWalSender(call)
      })
    } finally {
      await sender?.stop()
    }
  },
  help: `
Runs pg_receivewal until it is ended (Ctrl-C, SIGTERM), and creates the
replication slot that it needs: the server keeps all WAL until it has been
received, even while the receiver is not running. It needs no change of the
server's configuration; the role needs LOGIN and REPLICATION.

Start it before the first backup, or at any time. It writes into the wal/ of the
newest whole backup, and continues in that of the next one as soon as there is
one. Finished segments are compressed (wal.compress). It waits for servers that
restart, and for networks and disks that fail. Only one receiver runs in a root.

Stores of the configuration that take backups by themselves (upload: always, or
scheduled) get each finished segment too, and the last one, as far as it is, every
partial_every. One that is away is caught up later, and stops nothing.

While no WAL is received, the slot keeps it on the server: if you stop receiving
for good, remove the slot with pgbk wal drop-slot.

Examples:
  pgbk wal receive
  pgbk wal receive -d "host=db1,db2 user=backup target_session_attrs=read-write"
`,
}

async function send(stores: string, call: Task): Promise<number> {
  const { sendWalUntilInputEnds } = await import('../../upload/receiving/wal-sender.js')
  await sendWalUntilInputEnds(stores, call)
  return 0
}

export const walStatus: CommandSpec<ConnectionFlags> = {
  name: 'wal status',
  description: 'what the WAL archives cover, and how the receiver is',
  declare: addConnectionOptions,
  async run(call) {
    const { walStatus } = await import('../../monitoring/wal-status.js')
    const result = await walStatus(call.options, call)
    const { sayWarnings, walStatusJson, walStatusText } = await import('../../terminal/views/wal-view.js')
    sayWarnings(result, call.context.progress)
    return { json: () => walStatusJson(result), text: (screen) => walStatusText(result, screen) }
  },
  help: `
Shows the receiver and its replication slot, and for every backup the unbroken
part of its WAL archive: positions, segments, how many of them are compressed,
and how far the backup can be taken. What breaks an archive is named. Works
without the server too, and says so.

Examples:
  pgbk wal status
  pgbk wal status --json | jq .slot.retained_bytes
`,
}

export const walDropSlot: CommandSpec<DropSlotOptions> = {
  name: 'wal drop-slot',
  description: "remove the receiver's replication slot from the server",
  declare: (command) => addConnectionOptions(command.option('-y, --yes', 'do not ask')),
  async run(call) {
    const { dropReceiverSlot } = await import('../../wal-receiver/drop-slot.js')
    const result = await dropReceiverSlot(call.options, call)
    const { dropSlotJson, dropSlotText } = await import('../../terminal/views/wal-view.js')
    return { json: () => dropSlotJson(result), text: (screen) => dropSlotText(result, screen) }
  },
  help: `
The server keeps WAL for the slot as long as it exists. Remove it when no WAL is
to be received any longer; on a terminal pgbk asks first.

Examples:
  pgbk wal drop-slot
  pgbk wal drop-slot --yes -h db1 -U backup
`,
}
