import { type ErrorCode, PgbkError } from '../../../errors.js'
import { isPassing, isUnnamed, type S3Failure, s3Failure } from './s3-failure.js'

type Rule = [names: RegExp, code: ErrorCode, says: string, hint: string]

/** What is to be done about it; `@` stands for what was tried. */
const rules: Rule[] = [
  [
    /^NoSuchBucket$/,
    'not-found',
    'cannot @: the bucket does not exist',
    'Make it first, or correct its name. Is the region right?',
  ],
  [
    /^(CredentialsProviderError|NoCredentials\w*)$/,
    'failed',
    'cannot @: no credentials for S3 were found',
    'They come as every S3 tool takes them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials (AWS_PROFILE), or the role of the machine. pgbk works as the user run_as where root has started it.',
  ],
  [
    /^(InvalidAccessKeyId|InvalidClientTokenId|InvalidToken|SignatureDoesNotMatch|UnrecognizedClientException)$/,
    'failed',
    'cannot @: the store does not accept the credentials',
    'Are they those of this provider? Look at AWS_ACCESS_KEY_ID, AWS_PROFILE and ~/.aws/credentials.',
  ],
  [
    /^(ExpiredToken\w*|TokenRefreshRequired|RequestExpired|TokenProviderError)$/,
    'failed',
    'cannot @: the credentials have expired',
    'Get new ones (aws sso login, for one), and try again.',
  ],
  [
    /^RequestTimeTooSkewed$/,
    'failed',
    "cannot @: this machine's clock and the store's differ by more than it allows",
    'Set the clock (timedatectl, chronyc).',
  ],
  [
    /^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|InvalidRegion)$/,
    'failed',
    'cannot @: the bucket is in another region',
    'Set region, and endpoint where it names a region, in stores of .pgbkrc.yaml, or AWS_REGION.',
  ],
  [
    /^(AccessDenied|Forbidden|403|AllAccessDisabled|AccountProblem)$/,
    'failed',
    'cannot @: access denied',
    'What these credentials need to be allowed is in docs/stores.md.',
  ],
  [
    /^(QuotaExceeded|XMinioStorageFull|InsufficientStorage|507)$/,
    'disk-full',
    'cannot @: the store has no room left',
    'Make room there, or have the quota raised.',
  ],
  [
    /^(ERR_TLS_CERT_ALTNAME_\w+|HOSTNAME_MISMATCH)$/,
    'unreachable',
    "cannot @: the store's certificate is for another host name",
    'Is the endpoint right? Where the name of the bucket has dots in it, set path_style: true of the store.',
  ],
  [
    /^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/,
    'unreachable',
    "cannot @: the store's certificate is not valid at this time",
    "Is this machine's clock right (timedatectl, chronyc)? Else whoever runs the store has to renew it.",
  ],
  [
    /^(SELF_SIGNED_CERT\w*|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|CERT_\w+|CRL_\w+|ERROR_IN_C\w+|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|ERR_TLS_\w+)$/,
    'unreachable',
    "cannot @: the store's certificate is not trusted",
    'Name the authority that signed it in NODE_EXTRA_CA_CERTS or AWS_CA_BUNDLE.',
  ],
  [
    /^(InvalidPart|EntityTooLarge|TooManyParts|InvalidArgument)$/,
    'failed',
    'cannot @: the store does not take parts of that size or number',
    'Set part_size of the store in .pgbkrc.yaml.',
  ],
]

/** An error of an S3 client as one of ours. @param what was tried: `read KEY of s3://...`. */
export function s3Error(
  error: unknown,
  what: string,
  secrets: readonly (string | undefined)[] = [],
): unknown {
  if (error instanceof PgbkError) return error
  const failure = s3Failure(error)
  const said = shown(failure, secrets)
  const rule = rules.find(([names]) => names.test(failure.name) || names.test(String(failure.status)))
  if (rule) {
    const [, code, says, hint] = rule
    const isDenied = /^(AccessDenied|Forbidden|403)$/.test(failure.name) || isUnnamed(failure, 403)
    const facts = isDenied ? { kind: 'access-denied' as const } : {}
    return new PgbkError(code, `${says.replace('@', what)} (${said})`, { hint, facts })
  }
  if (isPassing(error))
    return new PgbkError('unreachable', `cannot ${what}: the store does not answer as it should (${said})`, {
      hint: 'Is it up, and is the URL, the endpoint or the proxy right? Try again: what has arrived is not sent again.',
    })
  // What is sent or taken has faults of its own.
  if (failure.status === undefined) return error
  return new PgbkError('failed', `cannot ${what}: ${said}`)
}

const [longest, longestName] = [200, 64]

/** Its first line, and nothing of what only these two may know. */
function shown({ name, status, message }: S3Failure, secrets: readonly (string | undefined)[]): string {
  let text = message.split('\n')[0] ?? ''
  for (const secret of secrets) if (secret) text = text.replaceAll(secret, '...')
  text = text.replace(/\b(https?:\/\/)[^@/\s]*@/g, '$1').slice(0, longest)
  return [
    name === 'Error' ? undefined : name.slice(0, longestName),
    status === undefined ? undefined : `HTTP ${status}`,
    text === name ? '' : text,
  ]
    .filter(Boolean)
    .join(', ')
}
