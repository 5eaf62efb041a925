import { type AnswerForm, answerForm } from './cli/call/answer-form.js'
import type { Call, Invocation, Outcome } from './cli/call/command-spec.js'
import { write } from './cli/output.js'
import type { Settings } from './config/load.js'
import { type Context, type PrintedCommand, withEnds } from './context.js'
import { isUnexpected, PgbkError, pgbkErrorFrom } from './errors.js'
import type { ProcessContext } from './process-context.js'
import type { Reporter } from './terminal/reporter.js'
import type { Style } from './terminal/screen.js'

/**
 * Runs one command line and returns its exit status. Results go to stdout, everything else to stderr; with `--json`
 * stdout is exactly one JSON document.
 */
export async function main(argv: string[], world: ProcessContext): Promise<number> {
  const ignore = () => {}
  // A closed stderr must not end a backup; what is written to stdout reports its own errors.
  for (const stream of [world.stdout, world.stderr]) stream.on('error', ignore)
  try {
    return await run(argv, world)
  } finally {
    for (const stream of [world.stdout, world.stderr]) stream.off('error', ignore)
  }
}

async function run(argv: string[], world: ProcessContext): Promise<number> {
  // The version costs hardly more than node itself: nothing else is loaded.
  if (argv.length === 1 && argv[0] === '--version') {
    const { version } = await import('./version.js')
    await write(world.stdout, `${version}\n`)
    return 0
  }
  let reporter: Reporter | undefined
  let invocation: Invocation | undefined
  try {
    invocation = await readCommandLine(argv, world)
    if (!invocation) return 0
    const { checkInvocation } = await import('./cli/declare.js')
    checkInvocation(invocation)
    const { openReporter } = await import('./terminal/reporter.js')
    reporter = await openReporter(world.stderr, {
      quiet: invocation.globals.quiet ?? false,
      verbose: invocation.globals.verbose ?? false,
      animated: isAnimated(invocation, world),
      style: await styleFor(world.stderr, invocation, world),
    })
    const status = await carryOut(invocation, world, reporter)
    reporter.close()
    return status
  } catch (error) {
    reporter?.close()
    const { answerFormOf } = await import('./cli/declare.js')
    return await report(error, invocation ? answerForm(invocation) : answerFormOf(argv), world)
  }
}

async function readCommandLine(argv: string[], world: ProcessContext): Promise<Invocation | undefined> {
  const { parseCommandLine } = await import('./cli/declare.js')
  let printed = ''
  const invocation = parseCommandLine(
    argv,
    (text) => {
      printed += text
    },
    Math.min(world.stdout.columns || 80, 100),
  )
  await write(world.stdout, printed)
  return invocation
}

/** Runs the command that is asked for, and prints its result. Returns the exit status. */
async function carryOut(invocation: Invocation, world: ProcessContext, reporter: Reporter): Promise<number> {
  const { loadConfig } = await import('./config/load.js')
  const { notingWarnings, tellingHooks } = await import('./cli/hooks.js')
  const { printedCommand } = await import('./cli/call/printed-command.js')
  const warnings: string[] = []
  const progress = notingWarnings(reporter.progress, warnings)
  const pgbk = printedCommand(invocation, world.cwd)
  const asking = { ...world, ...(await askers(world, reporter)) }
  const { identitiesOf } = await import('./config/identities.js')
  const identities = identitiesOf(invocation.globals.identity ?? [], { ...asking, progress })
  const known = { ...asking, progress, pgbk, identities }
  const print = async (outcome: Outcome) => {
    reporter.close()
    await printOutcome(outcome, invocation, world, pgbk)
  }
  const { name: command, tellsHooks, runWithout } = invocation.spec
  const ended = await withEnds(known, async (context) => {
    const call = { ...invocation, context, print }
    const settings = await loadConfig(invocation.globals, context).catch((error) => {
      if (error instanceof PgbkError && runWithout) return error
      throw error
    })
    const work = async () => {
      if (world.user().uid === 0) await giveUpRoot(call, settings)
      const outcome =
        settings instanceof PgbkError
          ? ((await runWithout?.(settings, call)) ?? 0)
          : await invocation.spec.run({ ...call, settings })
      if (typeof outcome !== 'number') await print(outcome)
      return outcome
    }
    return tellsHooks?.(invocation) && !(settings instanceof PgbkError)
      ? await tellingHooks(work, { command, settings, context, warnings, complain: reporter.complain })
      : await work()
  })
  return typeof ended === 'number' ? ended : (ended.failure?.exitStatus ?? 0)
}

/** Before anything is done with files that somebody else could swap; where the configuration has faults, its user is not known. */
async function giveUpRoot(call: Omit<Call, 'settings'>, settings: Settings | PgbkError): Promise<void> {
  const { dropPrivileges } = await import('./privileges/drop-privileges.js')
  const { spec, context } = call
  if (settings instanceof PgbkError) {
    try {
      dropPrivileges({ as: 'run_as' }, defaultRunAs, context)
    } catch {
      throw settings // without that user, the fault of the configuration is what matters
    }
    return
  }
  const standIn = spec.standIn
    ? spec.standIn({ ...call, settings })
    : { as: 'owner' as const, root: settings.root }
  if (standIn) dropPrivileges(standIn, settings.run_as, context)
}

/** As in the schema of the configuration. */
const defaultRunAs = 'postgres'

async function printOutcome(
  outcome: Outcome,
  invocation: Invocation,
  world: ProcessContext,
  pgbk: PrintedCommand,
): Promise<void> {
  const { json = false, quiet = false } = invocation.globals
  const { stdout } = world
  if (json) {
    const { jsonText } = await import('./terminal/json-text.js')
    await write(stdout, jsonText(outcome.json(), stdout.isTTY ? 2 : undefined))
    return
  }
  const style = await styleFor(stdout, invocation, world)
  const screen = { style, width: stdout.columns || undefined, now: world.now(), quiet, pgbk }
  const text = outcome.text(screen)
  await write(stdout, /[^\0-\x7f]/.test(text) ? await withExactWidths(() => outcome.text(screen)) : text)
}

async function withExactWidths(render: () => string): Promise<string> {
  const { loadWidths } = await import('./terminal/width.js')
  await loadWidths()
  return render()
}

async function askers(
  world: ProcessContext,
  reporter: Reporter,
): Promise<Pick<Context, 'ask' | 'askSecret'>> {
  const { stdin, stderr, signal } = world
  if (!stdin.isTTY || !stderr.isTTY) return { ask: undefined, askSecret: undefined }
  const { askSecret, askYesOrNo } = await import('./terminal/ask.js')
  const asking =
    <T>(ask: (question: string, ...terminal: Terminal) => Promise<T>) =>
    (question: string) => {
      reporter.close()
      return ask(question, stdin, stderr, signal)
    }
  return { ask: asking(askYesOrNo), askSecret: asking(askSecret) }
}

type Terminal = [NodeJS.ReadStream, NodeJS.WriteStream, AbortSignal]

function isAnimated({ spec }: Invocation, { stderr, env }: ProcessContext): boolean {
  return (
    spec.takesTime === true &&
    stderr.isTTY === true &&
    // A terminal may have no size, and the spinner's library no end then.
    stderr.columns > 0 &&
    !env.CI &&
    env.TERM !== 'dumb'
  )
}

async function styleFor(
  stream: NodeJS.WriteStream,
  invocation: Invocation | undefined,
  { env }: ProcessContext,
): Promise<Style> {
  const { createStyle } = await import('./terminal/screen.js')
  const wanted = invocation?.globals.color !== false && !env.NO_COLOR && env.TERM !== 'dumb'
  return createStyle(wanted && stream.isTTY === true)
}

async function report(error: unknown, form: AnswerForm, world: ProcessContext): Promise<number> {
  const { errorJson, errorText } = await import('./terminal/print-error.js')
  const known = pgbkErrorFrom(error)
  if (form.nagios) return await reportToMonitor(known, world)
  if (form.json) await write(world.stdout, errorJson(known))
  const wanted = form.color && !world.env.NO_COLOR && world.env.TERM !== 'dumb'
  const { createStyle } = await import('./terminal/screen.js')
  const verbose = form.verbose || isUnexpected(error)
  const style = createStyle(wanted && world.stderr.isTTY === true)
  const text = errorText(known, { style, width: world.stderr.columns || undefined, verbose })
  // Where not even the message can be written, the exit status still tells.
  await new Promise<void>((resolve) => world.stderr.write(text, () => resolve()))
  return known.exitStatus
}

/** A monitor takes other exit statuses for findings. */
async function reportToMonitor({ message }: PgbkError, { stdout }: ProcessContext): Promise<number> {
  const { nagiosUnknown } = await import('./terminal/views/nagios.js')
  const { withoutPasswords } = await import('./terminal/print-error.js')
  const { text, exitStatus } = nagiosUnknown(withoutPasswords(message))
  await write(stdout, text)
  return exitStatus
}
