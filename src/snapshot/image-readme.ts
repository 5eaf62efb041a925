import { type BackupRecord, majorOf } from '../catalog/record.js'
import { printableValues } from '../text/printable.js'

/** The README beside an image, for someone who has never heard of pgbk. Lines of at most 80 columns, where names allow it. */
export function imageReadme(record: BackupRecord): string {
  const { id, server, label, packed } = printableValues(record)
  const title = `A POSTGRESQL ${majorOf(record)} DATABASE CLUSTER, PACKED`
  const name = server.cluster_name ? `${server.cluster_name}, ` : ''
  const size = packed ? `\nUnpacked     about ${packed.snapshot_bytes} bytes` : ''
  return `${title}
${'='.repeat(title.length)}

snapshot.squashfs is a complete physical copy of a PostgreSQL server, compressed
into one file: a squashfs image, which Linux can mount and many programs unpack.
PostgreSQL opens what is in it; no other software is needed.

Server       ${name}${server.host} port ${server.port}
Version      ${server.version}
Backup       ${id}${label === null ? '' : `, "${label}"`}${size}

HOW TO START IT

You need the programs of PostgreSQL ${majorOf(record)} (any ${majorOf(record)}.x) and unsquashfs (package
squashfs-tools; Homebrew: squashfs; 7-Zip unpacks it too). Not as root, in a copy
of this directory or in here:

  unsquashfs -d snapshot snapshot.squashfs
  cd snapshot
  postgres -D conf

What is where, how to connect, and how to go to a moment after the copy with the
WAL in wal/ says snapshot/README then. snapshot/ is not a part of the backup: it
can be removed, and unpacked again.

HOW TO LOOK INTO IT WITHOUT UNPACKING

  mkdir /mnt/look
  mount -o loop,ro,nodev,nosuid snapshot.squashfs /mnt/look     as root, or
  squashfuse snapshot.squashfs /mnt/look                        as anybody

and to see whether every file is unharmed:

  cd /mnt/look && pg_verifybackup data
`
}
