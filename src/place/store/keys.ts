import { type BytePath, shownPath } from '../../system/paths/byte-path.js'

/** Where everything lies in a store, as in a root (catalog/layout.ts). */
export const keysOf = {
  backups: 'data/backup/',
  /** What `doctor` puts there and removes again; the rest of the name is by chance. */
  probes: 'data/backup/.pgbk-probe-',
  backup: (id: string) => {
    const top = `data/backup/${id}/`
    return {
      top,
      record: `${top}backup.json`,
      proof: `${top}proof.json`,
      hold: `${top}hold.json`,
      /** Only in a plain one. */
      label: `${top}snapshot/data/backup_label`,
      file: (name: BytePath) => top + shownPath(name),
    }
  },
}
