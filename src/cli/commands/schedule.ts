import type { ScheduleOptions } from '../../schedule/schedule.js'
import type { Call, CommandSpec, Invocation, Outcome } from '../call/command-spec.js'
import { addConnectionOptions } from '../call/options.js'

interface Options extends ScheduleOptions {
  list?: boolean
  remove?: boolean
  print?: boolean
  systemd?: boolean
}

export const schedule: CommandSpec<Options> = {
  name: 'schedule',
  description: 'make backups automatically: a crontab entry, or systemd units',
  takesTime: true,
  declare: (command) =>
    addConnectionOptions(
      command
        .option('--daily <HH:MM>', 'every day at this time')
        .option('--weekly <day HH:MM...>', 'every week: sun 03:00')
        .option('--prove', 'really start every new backup and check it')
        .option('--packed', 'make every new backup one compressed image')
        .option('--no-prune', 'remove no old backups afterwards')
        .option('--print', 'only print the line; write nothing')
        .option('--systemd', 'with --print: units for systemd in its place')
        .option('--list', 'show what is in the crontab')
        .option('--remove', "remove the root's line from it"),
    ),
  faultOf,
  // The crontab is the caller's own, and of the root directory nothing is read here.
  standIn: () => undefined,
  async run(call) {
    const { options, settings, context } = call
    const schedules = await import('../../schedule/schedule.js')
    const view = await import('../../terminal/views/schedule-view.js')
    if (options.list) {
      const entries = await schedules.listSchedules(context)
      return { json: () => view.entriesJson(entries), text: (screen) => view.entriesText(entries, screen) }
    }
    if (options.remove) {
      const removed = await schedules.removeSchedule(call)
      return {
        json: () => view.removedJson(settings.root, removed),
        text: (screen) => view.removedText(settings.root, removed, screen),
      }
    }
    if (options.print) return printed(call)
    const written = await schedules.schedule(options, call)
    return { json: () => view.scheduleJson(written), text: (screen) => view.scheduleText(written, screen) }
  },
  help: `
Writes one line into your crontab, which needs nothing of your environment: it
names node, pgbk, the root, the configuration and the connection in full. It
makes a backup and then prunes, by the retention policy of the configuration,
or, where that has none, by daily 7, on_demand 3, min 2; and then each store that
has a retention there. All other lines stay as they are; a root has one line, and
a new one takes its place.

Before anything is written, pgbk doctor checks everything in the environment that
cron provides, and what would not work there is reported. Passwords are refused:
put them into ~/.pgpass.

What the line prints, cron sends by mail: nothing when all went well, and one
message when something failed.

Examples:
  pgbk schedule --daily 03:00
  pgbk schedule --weekly sun 03:00 --prove -C /srv/backups -h db1 -U backup
  pgbk schedule --daily 03:00 --print --systemd
  pgbk schedule --list
  pgbk schedule --remove -C /srv/backups
`,
}

const ways = ['daily', 'weekly', 'list', 'remove'] as const

function faultOf({ options, words }: Invocation<Options>): string | undefined {
  if (words) return 'schedule takes no COMMAND after --'
  const chosen = ways.filter((way) => options[way] !== undefined)
  if (chosen.length === 0) return 'say when: --daily HH:MM or --weekly DAY HH:MM; or --list, or --remove'
  if (chosen.length > 1) return `--${chosen.join(' and --')} cannot be combined`
  const writes = options.daily !== undefined || options.weekly !== undefined
  const other = (['prove', 'print', 'systemd'] as const).find((name) => options[name])
  if (!writes && other !== undefined) return `--${other} needs --daily or --weekly`
  return options.systemd && !options.print ? '--systemd only prints: add --print' : undefined
}

async function printed(call: Call<Options>): Promise<Outcome> {
  const { options } = call
  const { planSchedule, planUnits } = await import('../../schedule/schedule.js')
  const view = await import('../../terminal/views/schedule-view.js')
  if (options.systemd) {
    const units = planUnits(options, call)
    return { json: () => view.unitsJson(units), text: () => view.unitsText(units) }
  }
  const { line } = planSchedule(options, call)
  return { json: () => view.lineJson(line), text: () => view.lineText({ line }) }
}
