/** What of an S3 client's error is used. */
export interface S3Failure {
  /** `NoSuchKey`, or what the system calls it: `ECONNREFUSED`. */
  name: string
  status: number | undefined
  message: string
  /** How often it was asked. */
  attempts: number
  /** Whether there was no connection yet. */
  isUnconnected: boolean
}

/** What has no name: answers to HEAD have no body to name it. */
const unnamed = /^(Error|Unknown(Error)?)$/

export function s3Failure(error: unknown): S3Failure {
  const { name, Code, code, message, syscall, $metadata, cause } = (error ?? {}) as Record<
    string,
    unknown
  > & {
    $metadata?: { httpStatusCode?: number; attempts?: number }
  }
  const inner = (cause as { code?: unknown } | undefined)?.code
  // The client wraps what it does not take for an error, and drops its code.
  const [, wrapped, rest] = /^AWS SDK error wrapper for (\w+): (.*)/s.exec(String(message)) ?? []
  const named = /\bE[A-Z]{4,}\b/.exec(rest ?? '')?.[0]
  const names = [Code, code, inner, named, wrapped, name].filter(
    (one) => typeof one === 'string' && !unnamed.test(one),
  )
  const isOfTls = names.length === 0 && /certificate/.test(String(message))
  return {
    name: isOfTls ? 'CERT_NOT_TRUSTED' : String(names[0] ?? 'Error'),
    status: $metadata?.httpStatusCode,
    message: unnamed.test(String(message)) ? '' : (rest ?? String(message ?? '')),
    attempts: $metadata?.attempts ?? 1,
    isUnconnected: syscall === 'connect' || syscall === 'getaddrinfo',
  }
}

/** Whether there is nothing of that name; a bucket that is missing is another matter. */
export function isNothing(error: unknown): boolean {
  const { name, status } = s3Failure(error)
  return status === 404 && name !== 'NoSuchBucket' && name !== 'NoSuchUpload'
}

/** Whether the store may do that for others, but not for these credentials. */
export function isForbidden(error: unknown): boolean {
  return s3Failure(error).status === 403
}

/** Whether the store does not know what it was asked for. */
export function isNotSupported(error: unknown): boolean {
  const { name, status } = s3Failure(error)
  return (
    status === 501 ||
    status === 405 ||
    /NotImplemented|NotSupported|MethodNotAllowed|^Unsupported(Operation|Feature|Argument)/.test(name)
  )
}

export function mayBeExpired(error: unknown): boolean {
  const failure = s3Failure(error)
  return (
    /^(ExpiredToken|ExpiredTokenException|TokenRefreshRequired|RequestExpired)$/.test(failure.name) ||
    isUnnamed(failure, 400)
  )
}

export function isUnnamed({ name, status }: S3Failure, wanted: number): boolean {
  return name === 'Error' && status === wanted
}

/** Whether it is worth to ask again. */
export function isPassing(error: unknown): boolean {
  const { name, status = 0, isUnconnected } = s3Failure(error)
  if (isUnconnected || passing.test(name)) return true
  return (status >= 500 && status !== 501) || status === 429 || status === 408
}

/** What the system and Node say of names, sockets, TLS and HTTP (`HPE_`: what answers does not speak it); then what stores say. */
const passing =
  /^(E(CONN|PIPE|PROTO|TIMEDOUT|TIMEOUT|AI_|NOTFOUND|HOST|NET|ADDR|NOBUFS)\w*|ERR_(STREAM_PREMATURE_CLOSE|SSL_\w+|SOCKET_\w+)|HPE_\w+|TimeoutError|RequestTimeout\w*|SlowDown|Throttl\w+|InternalError|ServiceUnavailable|IncompleteBody|BadDigest|ConditionalRequestConflict|OperationAborted)$/
