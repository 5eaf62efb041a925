import { unprovenReasons } from '../../catalog/proof-outcome.js'
import { PgbkError } from '../../errors.js'
import type { Verified, VerifyOptions } from '../../verify/verify.js'
import type { CommandSpec, Outcome } from '../call/command-spec.js'
import { idMeaning, sandboxOption } from '../call/options.js'

export const verify: CommandSpec<VerifyOptions> = {
  name: 'verify',
  description: 'check that a backup is as it was made',
  takesTime: true,
  tellsHooks: () => true,
  declare: (command) =>
    command
      .argument('[id]', `${idMeaning} (default: latest)`)
      .option('--all', 'all backups of the root')
      .option('--prove', 'really start it on a working copy, replay its WAL, and read it')
      .addOption(sandboxOption()),
  faultOf: ({ ids, options, words }) => {
    if (words) return 'verify takes no COMMAND after --'
    if (options.sandbox && !options.prove) return '--sandbox goes with --prove'
    return options.all && ids[0] !== undefined ? 'an id cannot be combined with --all' : undefined
  },
  async run(call) {
    const { verify } = await import('../../verify/verify.js')
    const result = await verify(call.ids[0], call.options, call)
    const { verifyJson, verifyText } = await import('../../terminal/views/verify-view.js')
    return {
      ...(result.checks.length === 1 ? { id: result.checks[0]?.id } : {}),
      ...failureOf(result.checks),
      json: () => verifyJson(result),
      text: (screen) => verifyText(result, screen),
    }
  },
  help: `
Compares every file with the manifest (pg_verifybackup), the record with the
files, looks at conf/ and the links of tablespaces, and reads all of the WAL
archive: whether it is unbroken, and every segment what its name says. Every
fault is named with its file. Nothing is changed.

With --prove the backup is really started on a working copy, all WAL of its
archive replayed, every database opened, its tables and indexes read by the
extensions amcheck and pg_visibility (where they are installed), and the
statements of verify.sql run, with the search_path of their databases. The
result is kept in proof.json, and pgbk list shows it. "latest" skips a backup
whose last proof has failed. The server runs in a sandbox, like that of pgbk
local-run.

A proof fails for damage that it names, and for verify.sql. What this machine
lacks (a library, a locale, a version of a collation, memory, disk space), and
locks of prepared transactions, are reported as "not proven": such a backup
counts like one that was never proven.

The exit status is 6 when a backup has faults, and 7 when none has, but one could
not be proven. One in which a server was started ("used") has faults: it is no
longer what was backed up.

Examples:
  pgbk verify
  pgbk verify 20261120T030000Z
  pgbk verify --prove
  pgbk verify --all --json | jq '.checks[] | select(.ok | not)'
`,
}

function failureOf(checks: Verified[]): Pick<Outcome, 'failure'> {
  const faulty = checks.filter(({ faults }) => faults.length > 0)
  if (faulty.length > 0) return { failure: faultyError(faulty) }
  const [[id, reason] = []] = checks.flatMap(({ id, proof }) =>
    proof ? unprovenReasons(proof).map((why) => [id, why]) : [],
  )
  return id === undefined ? {} : { failure: new PgbkError('not-proven', `${id} is not proven: ${reason}`) }
}

function faultyError(faulty: Verified[]): PgbkError {
  const [first] = faulty[0]?.faults ?? []
  const more = faulty.reduce((sum, { faults }) => sum + faults.length, 0) - 1
  return new PgbkError(
    'check-failed',
    `${faulty.map(({ id }) => id).join(', ')}: ${first?.file}: ${first?.problem}${more > 0 ? `; and ${more} more faults` : ''}`,
  )
}
