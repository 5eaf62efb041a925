import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll } from '@jest/globals'
import { execa, execaSync } from 'execa'
import { atEnd } from './places.js'
import { asUser, ordinaryUser } from './users.js'

/** The ordinary user's crontab, every byte one character. */
export function crontab(): string {
  const [file = '', ...args] = [...asUser(), 'crontab', '-l']
  const { exitCode, stdout, stderr } = execaSync(file, args, {
    reject: false,
    encoding: 'latin1',
    stripFinalNewline: false,
  })
  if (exitCode !== 0 && !/no crontab/.test(stderr)) throw new Error(`apt-get install cron: ${stderr}`)
  return exitCode === 0 ? stdout : ''
}

/** Replaces the ordinary user's crontab; an empty text removes it. */
export function setCrontab(text: string): void {
  const [file = '', ...args] = [...asUser(), 'crontab', text === '' ? '-r' : '-']
  execaSync(file, args, { input: Buffer.from(text, 'latin1'), reject: text !== '' })
}

/** What the tests of a file do to the crontab is undone when they are over. */
export function keepCrontab(): void {
  beforeAll(() => {
    const before = crontab()
    atEnd(() => setCrontab(before))
  })
}

/** Debian keeps it in a directory of the machine's architecture. */
function faketime(): string {
  const found = readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
    .find((path) => existsSync(path))
  if (found === undefined) throw new Error('apt-get install libfaketime')
  return found
}

/** Where nobody else's jobs are, and the clock runs five times as fast. */
const script = `
mount --bind "$1" /var/spool/cron/crontabs
mount -t tmpfs tmpfs /etc/cron.d
mount --bind /dev/null /etc/crontab
mount -t tmpfs tmpfs /run
exec env -i LD_PRELOAD="$2" FAKETIME="$3" TZ=UTC PATH=/usr/bin:/bin /usr/sbin/cron -f
`

/**
 * Runs the real cron daemon, as root, on a copy of the ordinary user's crontab, from a moment on, until it is told to end.
 * Commands get the real time.
 */
export function startCron(from: string): { check(): void; end(): Promise<void> } {
  const spool = mkdtempSync(join(tmpdir(), 'pgbk-cron-'))
  const { gid } = statSync('/var/spool/cron/crontabs')
  chownSync(spool, 0, gid)
  chmodSync(spool, 0o1730)
  const file = join(spool, ordinaryUser.name)
  writeFileSync(file, Buffer.from(crontab(), 'latin1'), { mode: 0o600 })
  chownSync(file, ordinaryUser.uid, gid)
  const child = execa('unshare', ['--mount', 'sh', '-c', script, 'sh', spool, faketime(), `@${from} x5`], {
    reject: false,
    stdin: 'ignore',
  })
  const end = async () => {
    child.kill('SIGTERM')
    await child
    rmSync(spool, { recursive: true, force: true })
  }
  const check = () => {
    if (child.exitCode !== null) throw new Error(`cron ended with ${child.exitCode}`)
  }
  return { check, end }
}
