/** What a command tells about its work while it runs. The terminal draws it; the default draws nothing. */
export interface Progress {
  /** A new phase has begun: `copying the data directory`. Ends the phase before it; naming the present one changes nothing. */
  step(text: string): void
  /** How far the present phase is, in bytes. The total may be unknown and may grow; the note stands behind the figures. */
  bytes(done: number, total?: number, note?: string): void
  /** No phase is in progress: the screen belongs to somebody else. */
  end(): void
  /** A message that stays on the screen. */
  say(text: string): void
  /** A message that stands out. */
  headline(text: string): void
  /** Something that the reader should look at, though the command goes on. */
  warn(text: string): void
  /** Details for `--verbose`. */
  detail(text: string): void
}

export const silentProgress: Progress = {
  step() {},
  bytes() {},
  end() {},
  say() {},
  headline() {},
  warn() {},
  detail() {},
}
