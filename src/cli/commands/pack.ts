import type { CommandSpec } from '../call/command-spec.js'
import { idMeaning } from '../call/options.js'

export const pack: CommandSpec = {
  name: 'pack',
  description: 'make one compressed image of a backup',
  takesTime: true,
  declare: (command) => command.argument('<id>', idMeaning),
  async run(call) {
    const { pack: packBackup } = await import('../../packing/pack.js')
    const changed = await packBackup(call.ids[0] ?? '', call)
    const { packedJson, packedText } = await import('../../terminal/views/pack-view.js')
    return { json: () => packedJson(changed), text: (screen) => packedText(changed, screen) }
  },
  help: `
The snapshot becomes one file, snapshot.squashfs, which starts as it is: local-run,
verify and restore read it without unpacking it first. pg_verifybackup reads all
of the image before the directory goes. README beside it tells how to open it
without pgbk. A backup that is in use or was opened is not packed.

Needs squashfs-tools, and squashfuse with /dev/fuse.

Examples:
  pgbk pack 20261120T030000Z
`,
}

export const unpack: CommandSpec = {
  name: 'unpack',
  description: 'make a directory of a packed backup again',
  takesTime: true,
  declare: (command) => command.argument('<id>', idMeaning),
  async run(call) {
    const { unpack: unpackBackup } = await import('../../packing/unpack.js')
    const changed = await unpackBackup(call.ids[0] ?? '', call)
    const { packedJson, unpackedText } = await import('../../terminal/views/pack-view.js')
    return { json: () => packedJson(changed), text: (screen) => unpackedText(changed, screen) }
  },
  help: `
The image goes when the directory is whole, and pg_verifybackup has read all of it.
Needs squashfs-tools, and room for the directory beside the image.

Examples:
  pgbk unpack 20261120T030000Z
`,
}
