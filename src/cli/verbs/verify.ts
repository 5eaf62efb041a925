import { PgbkError } from '../../errors.js'
import { idMeaning } from '../options.js'
import type { Verb } from '../verb.js'

export const verify: Verb = {
  name: 'verify',
  description: 'check that a backup is as it was made',
  takesTime: true,
  tellsHooks: () => true,
  declare: (command) =>
    command.argument('[id]', `${idMeaning} (default: latest)`).option('--all', 'all backups of the root'),
  faultOf: ({ ids, options, words }) => {
    if (words) return 'verify takes no COMMAND after --'
    return options.all && ids[0] !== undefined ? 'an id cannot be combined with --all' : undefined
  },
  async run({ ids: [id], options, settings, context }) {
    const { verify } = await import('../../commands/verify.js')
    const result = await verify(id, options, settings, context)
    const { verifyJson, verifyText } = await import('../../terminal/verify-view.js')
    const faulty = result.checks.filter(({ faults }) => faults.length > 0)
    return {
      ...(result.checks.length === 1 ? { id: result.checks[0]?.id } : {}),
      ...(faulty.length === 0 ? {} : { failure: failureOf(faulty) }),
      json: () => verifyJson(result),
      text: (screen) => verifyText(result, screen),
    }
  },
  help: `
Compares every file with the manifest (pg_verifybackup), the record with the
files, looks at conf/ and the links of tablespaces, and reads all of the WAL
archive: whether it is unbroken, and every segment what its name says. Every
fault is named with its file. Nothing is changed.

The exit status is 6 when a backup has faults. One in which a server was started
("used") has: it is no longer what was backed up.

Examples:
  pgbk verify
  pgbk verify 20261120T030000Z
  pgbk verify --all --json | jq '.checks[] | select(.ok | not)'
`,
}

interface Faulty {
  id: string
  faults: { file: string; problem: string }[]
}

function failureOf(faulty: Faulty[]): PgbkError {
  const [first] = faulty[0]?.faults ?? []
  const more = faulty.reduce((sum, { faults }) => sum + faults.length, 0) - 1
  return new PgbkError(
    'check-failed',
    `${faulty.map(({ id }) => id).join(', ')}: ${first?.file}: ${first?.problem}${more > 0 ? `; and ${more} more faults` : ''}`,
  )
}
