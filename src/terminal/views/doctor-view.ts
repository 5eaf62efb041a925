import type { Check, CheckStatus } from '../../doctor/check.js'
import type { DoctorResult } from '../../doctor/doctor.js'
import { shellWord } from '../../text/shell-word.js'
import { printable, printableLines, type Screen, type Style } from '../screen.js'
import { wrap } from '../wrap.js'

export function doctorJson({
  root,
  configFile,
  server,
  neededBytes,
  roomBytes,
  checks,
}: DoctorResult): object {
  return {
    checks,
    root: root ?? null,
    config_file: configFile ?? null,
    server: server ?? null,
    needed_bytes: neededBytes ?? null,
    room_bytes: roomBytes ?? null,
  }
}

const signs: Record<CheckStatus, { sign: string; word: string }> = {
  ok: { sign: '✓', word: 'ok' },
  warning: { sign: '!', word: 'warning' },
  failed: { sign: '✗', word: 'failed' },
  skipped: { sign: '-', word: 'skipped' },
}
const wordWidth = 7

/** A line for every check, and below it what fixes it; quiet, only what is not well. */
export function doctorText({ checks, store }: DoctorResult, screen: Screen): string {
  const what = store === undefined ? 'pgbk create' : `pgbk upload --to ${shellWord(store)}`
  const shown = screen.quiet
    ? checks.filter(({ status }) => status === 'failed' || status === 'warning')
    : checks
  const width = Math.max(0, ...shown.map(({ name }) => name.length))
  const lines = shown.flatMap((check) => [
    checkLine(check, width, screen.style),
    ...remedyLines(check, screen),
  ])
  const end = screen.quiet ? [] : ['', summary(checks, what, screen.style)]
  return [...lines, ...end].map((line) => `${line}\n`).join('')
}

function checkLine({ name, status, text }: Check, width: number, style: Style): string {
  const { sign, word } = signs[status]
  const paint = { ok: style.good, warning: style.warning, failed: style.bad, skipped: style.faint }[status]
  return `${paint(`${sign} ${word.padEnd(wordWidth)}`)}  ${name.padEnd(width)}  ${printable(text.replace(/\s+/g, ' '))}`
}

/** What is to be copied stays whole. */
function remedyLines({ remedy }: Check, { width }: Screen): string[] {
  if (remedy === null) return []
  const indent = '      '
  return wrap(printableLines(remedy), width === undefined ? undefined : width - indent.length)
    .split('\n')
    .map((line) => `${indent}${line}`)
}

/** @param what the command that needs all of it. */
function summary(checks: Check[], what: string, style: Style): string {
  const count = (wanted: CheckStatus) => checks.filter(({ status }) => status === wanted).length
  const [faults, warnings] = [count('failed'), count('warning')]
  const looks = warnings === 0 ? '' : `; ${warnings} ${warnings === 1 ? 'thing' : 'things'} to look at`
  if (faults > 0) return `${style.bad(`${what} would not work: ${faults} failed`)}${looks}`
  return `${style.good(`${what} would work`)}${looks}`
}
