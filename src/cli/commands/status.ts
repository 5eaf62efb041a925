import { localPath } from '../../catalog/source-place.js'
import { messageOf, PgbkError, systemFailure } from '../../errors.js'
import type { StatusOptions } from '../../monitoring/status.js'
import { replaceDurably } from '../../system/files/durable.js'
import type { Call, CommandSpec, Invocation, Outcome } from '../call/command-spec.js'
import { addConnectionOptions, parseSpan } from '../call/options.js'

interface Options extends StatusOptions {
  nagios?: boolean
  prometheus?: boolean
  output?: string
}

export const status: CommandSpec<Options> = {
  name: 'status',
  description: 'whether the newest backup is fresh and proven, in one line',
  declare: (command) =>
    addConnectionOptions(
      command
        .option('--max-age <span>', 'the newest backup must not be older (default: 26h)', parseSpan)
        .option('--max-proof-age <span>', 'some backup must have been proven since', parseSpan)
        .option('--max-lag <span>', 'the window must not end longer ago', parseSpan)
        .option('--nagios', 'print and end as a plugin of Nagios or Icinga')
        .option('--prometheus', "print metrics for node_exporter's textfile collector")
        .option('--output <file>', 'with --prometheus: put them into a file, in one step'),
    ),
  faultOf,
  async run(call) {
    if (call.options.nagios) return asPlugin(call)
    const { status } = await import('../../monitoring/status.js')
    const result = await status(call.options, call)
    if (call.options.prometheus) {
      const { metricsText } = await import('../../terminal/views/prometheus.js')
      return metricsOutcome(metricsText(result), call)
    }
    const { isCritical, statusJson, statusText } = await import('../../terminal/views/status-view.js')
    const outcome: Outcome = {
      json: () => statusJson(result),
      text: (screen) => statusText(result, screen),
    }
    if (!isCritical(result)) return outcome
    const why = result.problems.map(({ text }) => text).join('; ')
    return { ...outcome, failure: new PgbkError('check-failed', why) }
  },
  help: `
The age is counted from the end of the newest whole backup. Spans are written
90m, 36h, 2d. The exit status is 0 when all is well, 6 when there is no whole
backup, when the newest one has failed its check, or when a limit is exceeded. A
failed create, a broken WAL archive and a receiver that is not running are only
warnings as long as no limit is exceeded. The server is asked only for the WAL
that it keeps for the receiver, where one has run.

With --nagios the exit status is 0 (ok), 1 (warning), 2 (critical) or 3
(unknown), and performance data follow. With --prometheus it is 0 when the
metrics could be collected; docs/operations.md has alerts for them.

Examples:
  pgbk status
  pgbk status --max-age 36h --max-proof-age 8d --max-lag 5m
  pgbk status --nagios -C /srv/backups
  pgbk status --prometheus --output /var/lib/node_exporter/pgbk.prom
`,
}

function faultOf({ options, globals, words }: Invocation<Options>): string | undefined {
  if (words) return 'status takes no COMMAND after --'
  const ways = [options.nagios && '--nagios', options.prometheus && '--prometheus', globals.json && '--json']
  const chosen = ways.filter(Boolean)
  if (chosen.length > 1) return `${chosen.join(' and ')} cannot be combined`
  return options.output !== undefined && !options.prometheus ? '--output needs --prometheus' : undefined
}

/** A monitor wants a line on standard output also where nothing can be told. */
async function asPlugin(call: Call<Options>): Promise<number> {
  const { nagiosOutput, nagiosUnknown } = await import('../../terminal/views/nagios.js')
  const { status } = await import('../../monitoring/status.js')
  const answer = await status(call.options, call)
    .then(nagiosOutput)
    .catch((error) => nagiosUnknown(messageOf(error)))
  await call.print({ json: () => ({}), text: () => answer.text })
  return answer.exitStatus
}

async function metricsOutcome(text: string, { options, context }: Call<Options>): Promise<Outcome> {
  if (options.output === undefined) return { json: () => ({}), text: () => text }
  await writeMetrics(localPath(options.output, context.cwd), text)
  return { json: () => ({}), text: () => '' }
}

/** In one step; everybody may read it, as the collector is somebody else. @throws as `systemFailure`. */
async function writeMetrics(path: string, text: string): Promise<void> {
  try {
    await replaceDurably(path, text, 0o644)
  } catch (cause) {
    throw systemFailure(
      `cannot write ${path}`,
      cause,
      'Started by root, pgbk works as the owner of the root directory. Name a directory of that user, or leave --output out and let the shell write: >FILE',
    )
  }
}
