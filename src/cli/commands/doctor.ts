import type { DoctorResult } from '../../doctor/doctor.js'
import { PgbkError } from '../../errors.js'
import type { ConnectionFlags } from '../../postgres/connection/connection.js'
import type { CommandSpec, Outcome } from '../call/command-spec.js'
import { addConnectionOptions, storeMeaning } from '../call/options.js'

interface Options extends ConnectionFlags {
  store?: string
}

export const doctor: CommandSpec<Options> = {
  name: 'doctor',
  description: 'check everything that a backup needs, and say how to fix what is wrong',
  takesTime: true,
  declare: (command) => addConnectionOptions(command.option('--store <store>', `only that: ${storeMeaning}`)),
  // Root's own crontab is looked at first.
  standIn: ({ options: { store }, settings }) =>
    store === undefined ? undefined : { as: 'owner', root: settings.root },
  async run(call) {
    const { doctor, doctorOfStore } = await import('../../doctor/doctor.js')
    const { store } = call.options
    return outcomeOf(await (store === undefined ? doctor(call.options, call) : doctorOfStore(store, call)))
  },
  async runWithout(fault, { context }) {
    const { doctorWithout } = await import('../../doctor/doctor.js')
    return outcomeOf(await doctorWithout(fault, context))
  },
  help: `
Looks at this machine, the root, the connection, the server, the schedule and
the existing backups, as the user that create works as, with the same
connection options. Every line is a check:
  ok        all is well
  warning   create would work, but somebody should look
  failed    create would not work
  skipped   could not be checked
Below each problem is the statement, line or command that fixes it. Nothing is
changed: doctor prints, and you decide. Stores of the configuration, or the one
that --store names, are really written to, and what was written is removed.

It works before anything is configured, and leads to the first backup. The exit
status is 0 when create (with --store: upload) would work, and 6 when a check
failed.

Examples:
  pgbk doctor
  pgbk doctor -h db1 -U backup -C /srv/backups
  pgbk doctor --quiet                  only the problems
  pgbk doctor --store offsite          with its speed
  pgbk doctor --json | jq '.checks[] | select(.status != "ok")'
`,
}

async function outcomeOf(result: DoctorResult): Promise<Outcome> {
  const { doctorJson, doctorText } = await import('../../terminal/views/doctor-view.js')
  const faults = result.checks.filter(({ status }) => status === 'failed')
  const failure = new PgbkError('check-failed', faults.map(({ name, text }) => `${name}: ${text}`).join('; '))
  return {
    json: () => doctorJson(result),
    text: (screen) => doctorText(result, screen),
    ...(faults.length > 0 ? { failure } : {}),
  }
}
