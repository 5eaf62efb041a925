import { unprovenReasons } from '../../catalog/proof-outcome.js'
import { PgbkError } from '../../errors.js'
import type { Verified, VerifyResult } from '../../verify/verify.js'
import type { VerifyElsewhereOptions } from '../../verify/verify-elsewhere.js'
import type { Call, CommandSpec, Outcome } from '../call/command-spec.js'
import { idMeaning, runFromOption, sandboxOption } from '../call/options.js'
import { standInFor } from '../call/stand-in.js'

export const verify: CommandSpec<VerifyElsewhereOptions> = {
  name: 'verify',
  description: 'check that a backup is as it was made',
  takesTime: true,
  tellsHooks: () => true,
  declare: (command) =>
    command
      .argument('[id]', `${idMeaning} (default: latest)`)
      .option('--all', 'all backups of the root')
      .option('--prove', 'really start it on a working copy, replay its WAL, and read it')
      .addOption(sandboxOption())
      .addOption(runFromOption())
      .option('--read', 'with --from: read all of it, not only names and sizes'),
  standIn: ({ options: { from }, settings, context }) =>
    from === undefined ? { as: 'owner', root: settings.root } : standInFor(from, settings, context),
  faultOf: ({ ids, options, words }) => {
    if (words) return 'verify takes no COMMAND after --'
    if (options.read && options.from === undefined) return '--read goes with --from'
    if (options.prove && options.from !== undefined)
      return 'a backup elsewhere is not proven from here: --prove cannot be combined with --from'
    if (options.sandbox && !options.prove) return '--sandbox goes with --prove'
    return options.all && ids[0] !== undefined ? 'an id cannot be combined with --all' : undefined
  },
  async run(call) {
    const result = await verified(call)
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

With --from, what another root or a store says of a packed backup, names and
sizes, is compared with its record; with --read all of it is read: the image,
whose SHA-256 is in the record, and every segment of the WAL archive. Without a
key, an encrypted one is compared as it lies, and its WAL is not read.

The exit status is 6 when a backup has faults, and 7 when none has, but one could
not be proven. One in which a server was started ("used") has faults: it is no
longer what was backed up.

Examples:
  pgbk verify
  pgbk verify 20261120T030000Z
  pgbk verify --prove
  pgbk verify --from backup@nas:/srv/pg --all --read
  pgbk verify --all --json | jq '.checks[] | select(.ok | not)'
`,
}

async function verified(call: Call<VerifyElsewhereOptions>): Promise<VerifyResult> {
  const [id] = call.ids
  if (call.options.from !== undefined) {
    const { verifyElsewhere } = await import('../../verify/verify-elsewhere.js')
    return verifyElsewhere(id, call.options, call)
  }
  const { verify } = await import('../../verify/verify.js')
  return verify(id, call.options, call)
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
