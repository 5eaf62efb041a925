import type { Ora } from 'ora'
import { type Progress, silentProgress } from '../progress.js'
import { cutTo } from '../text/cut-to.js'
import { formatBytes, formatDuration } from '../text/format.js'
import { printableLines, printableMessage, type Style } from './screen.js'
import { wrap } from './wrap.js'

interface ReporterOptions {
  quiet: boolean
  verbose: boolean
  /** A spinner that is drawn again and again; else plain lines, as for a pipe or cron. */
  animated: boolean
  style: Style
}

export interface Reporter {
  progress: Progress
  /** A warning that is printed even where no others are wanted. */
  complain(text: string): void
  /** Takes the spinner away. */
  close(): void
}

/** Shows progress on stderr. */
export async function openReporter(stream: NodeJS.WriteStream, options: ReporterOptions): Promise<Reporter> {
  if (options.quiet) return quietReporter(stream, options)
  if (!options.animated) return plainReporter(stream, options)
  const { default: ora } = await import('ora')
  return spinningReporter(stream, ora({ stream, discardStdin: false, isEnabled: true }), options)
}

const plainInterval = 30_000

/** Of a warning, which may have a text of others in it. */
const longest = 10_000

type Messages = Pick<Progress, 'say' | 'headline' | 'warn' | 'detail'> & Pick<Reporter, 'complain'>

function messages(
  stream: NodeJS.WriteStream,
  line: (text: string) => void,
  options: ReporterOptions,
): Messages {
  const { style, verbose } = options
  const fitted = (text: string) => wrap(printableLines(text), stream.columns || undefined)
  const warning = (text: string) => line(fitted(`warning: ${text}`).replace(/^warning:/, style.warning))
  return {
    say: (text) => line(fitted(text)),
    headline: (text) => line(style.strong(fitted(text))),
    // A line break in a value must not begin a line of ours.
    warn: (text) => warning(printableMessage(cutTo(longest, text))),
    // What a hook has said has lines.
    complain: warning,
    detail: (text) => {
      if (verbose) line(style.faint(fitted(text)))
    },
  }
}

function quietReporter(stream: NodeJS.WriteStream, options: ReporterOptions): Reporter {
  const { complain } = messages(stream, (text) => void stream.write(`${text}\n`), options)
  return { progress: silentProgress, complain, close: () => {} }
}

function plainReporter(stream: NodeJS.WriteStream, options: ReporterOptions): Reporter {
  const line = (text: string) => void stream.write(`${text}\n`)
  let current = ''
  let lastLine = Date.now()
  const { complain, ...said } = messages(stream, line, options)
  return {
    complain,
    progress: {
      ...said,
      step: (text) => {
        if (text === current) return
        current = text
        lastLine = Date.now()
        line(text)
      },
      bytes: (done, total, note) => {
        if (Date.now() - lastLine < plainInterval) return
        lastLine = Date.now()
        line(`${current}: ${amountText(done, total)}${noteText(note)}`)
      },
      end: () => {},
    },
    close: () => {},
  }
}

function spinningReporter(stream: NodeJS.WriteStream, spinner: Ora, options: ReporterOptions): Reporter {
  let current = ''
  let startedAt = Date.now()
  const line = (text: string) => {
    const wasSpinning = spinner.isSpinning
    spinner.stop()
    stream.write(`${text}\n`)
    if (wasSpinning) spinner.start(current)
  }
  const { complain, ...said } = messages(stream, line, options)
  return {
    complain,
    progress: {
      ...said,
      step: (text) => {
        if (text === current && spinner.isSpinning) return
        current = text
        startedAt = Date.now()
        spinner.start(text)
      },
      bytes: (done, total, note) => {
        const rate = rateText(done, total, Date.now() - startedAt)
        spinner.text = `${current}  ${amountText(done, total)}${rate}${noteText(note)}`
      },
      end: () => void spinner.stop(),
    },
    close: () => void spinner.stop(),
  }
}

function amountText(done: number, total: number | undefined): string {
  if (!total) return formatBytes(done)
  return `${formatBytes(done)} of ${formatBytes(total)}, ${Math.min(100, Math.floor((100 * done) / total))} %`
}

function noteText(note: string | undefined): string {
  return note ? `; ${note}` : ''
}

/** Rate and time left, as soon as there is enough to reckon with. */
function rateText(done: number, total: number | undefined, ms: number): string {
  if (ms < 1000 || done === 0) return ''
  const rate = done / ms
  const left = total && total > done ? `, ${formatDuration((total - done) / rate)} left` : ''
  return `, ${formatBytes(rate * 1000)}/s${left}`
}
