import { rename, rm, writeFile } from 'node:fs/promises'

/**
 * Puts a note, which is only a help for the next time, in the place of another in one step, closed to others. Where it cannot be
 * written, it is not; and what a power cut leaves of it, no reader takes for a note.
 */
export async function tryToWriteNote(path: string, note: object): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`
  try {
    await writeFile(draft, `${JSON.stringify(note)}\n`, { mode: 0o600, flag: 'wx' })
    await rename(draft, path)
  } catch {
    await rm(draft, { force: true }).catch(() => {})
  }
}
