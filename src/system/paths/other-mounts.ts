/** The path at which this process sees a file in the mounts of another one, of the same user, while that one lives (proc(5)). */
export function seenBy(pid: number, path: string): string {
  return `/proc/${pid}/root${path}`
}

/** Whether a path leads there. A program cannot work in such a directory: it has no name for it (getcwd(3)), but can be given one. */
export function isSeenByAnother(path: string): boolean {
  return /^\/proc\/\d+\/root\//.test(path)
}
