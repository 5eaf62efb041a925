import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { saidInside, sqlOf } from '../helpers/inside.js'
import { localRun, nothing, remainsOf } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { program, runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { anyMajor, binOf, majorsAmong, run } from '../helpers/programs.js'
import { aServer, type TestServer } from '../helpers/server.js'
import { fingerprint } from '../helpers/tree.js'
import { asUser } from '../helpers/users.js'

const { describe, it } = needs('user namespaces')

describe.each(majorsAmong(13, 18))('what the data of PostgreSQL %i starts in a run', (major) => {
  let server: TestServer
  let backup: MadeBackup
  let home: string
  beforeAll(async () => {
    server = await aServer({ major, settings: { listen_addresses: '127.0.0.1' } })
    backup = await aBackupOf(server)
    home = aDirectory('pgbk-home-')
    writeFileSync(join(home, 'secret'), 'open sesame')
  })

  const inside = (commands: string, args: string[] = []) =>
    saidInside(backup, commands, args, { env: { HOME: home, AWS_SECRET_ACCESS_KEY: 'open sesame' } })

  it('reaches neither the server that was backed up nor any other network', async () => {
    const psql = (host: string) =>
      `${server.bin}/psql -XAtc "select repeat('here', 2)" -h ${host} -p ${server.port} -U focker`
    const said = await inside(
      `${psql('127.0.0.1')}; ${psql(server.socket)}; tail -n +3 /proc/net/dev | cut -d: -f1; ls -A /run /var`,
    )
    expect(said).not.toContain('herehere')
    expect(said).toMatch(/Connection refused/)
    expect(said).toMatch(/No such file or directory/)
    expect(said.split('\n').slice(-6).join(' ').replaceAll(/\s+/g, ' ').trim()).toBe(
      'lo /run: mount /var: tmp',
    )
  })

  it('finds no home directory, no other backup, no marker of the run', async () => {
    const other = await aTwinOf(backup, '20250101T000000Z')
    const paths = [home, '/root', '/home', '/srv', '/etc/shadow', '/etc/ssh', other.directory]
    const list = paths.map((path) => `ls -d ${path} >&- 2>&- && echo ${path} is there`).join('; ')
    const said = await inside(`${list}; ls -A "$HOME" ../..; ls -A ${backup.root}/data/backup`)
    expect(said).not.toMatch(/is there|secret|pgbk-run/)
    expect(said).toContain(backup.record.id)
    expect(said).not.toContain('20250101T000000Z')
  })

  it('cannot write into the backup by any path, that of another process neither', async () => {
    const before = fingerprint(backup.directory)
    const target = join(backup.directory, 'snapshot/README')
    const paths = [
      target,
      join(backup.directory, 'wal/new'),
      `/proc/*/root${target}`,
      `/proc/*/cwd/../README`,
    ]
    await inside(
      paths.map((path) => `for f in ${path}; do echo harm >>"$f"; done; rm -rf ${path}`).join('; '),
    )
    expect(fingerprint(backup.directory)).toBe(before)
  })

  it('sees no process but its own, and cannot signal others', async () => {
    const [file = '', ...args] = [...asUser(), 'sleep', '600']
    const other = execa(file, args, { reject: false })
    atEnd(() => void other.kill('SIGKILL'))
    const said = await inside(
      `kill -9 ${other.pid}; for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done; readlink /proc/[0-9]*/root /proc/[0-9]*/fd/*`,
    )
    expect(other.exitCode).toBeNull()
    expect(other.signalCode ?? null).toBeNull()
    expect(said).toMatch(/postgres -D \S+conf /)
    expect(said).not.toMatch(/sleep 600|pgbk\.js|relay\.js/)
    expect(said).not.toContain('/secret')
  })

  it('cannot put a link to another server in the place of its socket', async () => {
    const elsewhere = join(server.socket, `.s.PGSQL.${server.port}`)
    const harm = `for s in /tmp/pgbk-*/.s.PGSQL.*[0-9]; do rm -f "$s"; ln -sf ${elsewhere} "$s"; mv "$s" "$s.old"; done`
    const script = `psql -XAtqc "$0" >&2; psql -XAtqc "select current_setting('cluster_name')"`
    const { stdout, stderr } = await localRun(backup.root, ['--', 'sh', '-c', script, sqlOf(harm)])
    expect(stderr).toMatch(/Read-only file system/)
    expect(stdout).toBe(`pgbk ${backup.record.id}`)
  })

  it('has no rights, no way to more, and nothing of the environment but where it is', async () => {
    const said = await inside(
      `grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; env | cut -d= -f1 | sort -u`,
    )
    const [...lines] = said.split('\n')
    expect(lines.slice(0, 3).map((line) => line.replace(/\s+/g, ' '))).toEqual([
      'CapEff: 0000000000000000',
      'CapBnd: 0000000000000000',
      'NoNewPrivs: 1',
    ])
    // PostgreSQL itself sets the two of the PG* kind.
    const known =
      /^(LC_\w+|LANG|PATH|HOME|PWD|OLDPWD|TZ|TMPDIR|USER|LOGNAME|_|SHLVL|PGLOCALEDIR|PGSYSCONFDIR|PG_\w+)$/
    expect(lines.slice(3).filter((name) => !known.test(name))).toEqual([])
  })
})

describe('a proof', () => {
  let server: TestServer
  let backup: MadeBackup
  beforeAll(async () => {
    server = await aServer({ major: anyMajor, settings: { listen_addresses: '127.0.0.1' } })
    backup = await aBackupOf(server)
  })

  /** The proof whose own statement runs these shell commands, and says that they print `expected`. */
  async function proofWith(commands: string, expected: string, args: string[] = []) {
    const config = join(aDirectory(), 'config.yaml')
    const sql = [{ statement: sqlOf(commands), expect: expected }]
    writeFileSync(config, JSON.stringify({ root: backup.root, verify: { sql } }))
    await run(['chmod', '644', config]).catch(() => {})
    const { stdout } = await runPgbk(['verify', '--prove', '--json', '--config', config, ...args])
    return JSON.parse(stdout).checks[0].proof
  }

  it('listens at no port, and what it starts sees nothing of the machine', async () => {
    const reach = `${binOf(anyMajor)}/psql -XAtc 'select 42' -h 127.0.0.1 -p ${server.port} -U focker postgres >&- 2>&- && echo reached`
    const look = `${reach}; ls /home /root ${backup.root}/data/run/*/.pgbk-run.json 2>&- | wc -l; ls -A /run | wc -l`
    expect(await proofWith(look, '0\n1')).toMatchObject({ ok: true, faults: [] })
  })

  it('with --sandbox off sees it', async () => {
    expect(await proofWith('ls -d /home', '/home', ['--sandbox', 'off'])).toMatchObject({
      ok: true,
      faults: [],
    })
    expect((await proofWith('ls -d /home', '/home')).ok).toBe(false)
  })
})

describe('a sandbox', () => {
  let backup: MadeBackup
  beforeAll(async () => {
    backup = await aBackupOf(await aServer({ major: anyMajor }))
  })

  it('is switched off by an option, the configuration and the environment', async () => {
    const look = 'ls -d /home'
    expect(await saidInside(backup, look, ['--sandbox', 'off'])).toBe('/home')
    expect(await saidInside(backup, look, [], { env: { PGBK_RUN_SANDBOX: 'off' } })).toBe('/home')
    expect(await saidInside(backup, look)).toContain('No such file')
  })

  const keepsOut = async (copy: string) => {
    const before = fingerprint(backup.directory)
    const harm = `for f in ${backup.snapshot}/README ${backup.directory}/wal/x; do (echo harm >>$f); done`
    const said = await saidInside(backup, harm, ['--sandbox', 'off', '--working-copy', copy])
    expect(said.match(/Read-only file system/g)).toHaveLength(2)
    expect(fingerprint(backup.directory)).toBe(before)
  }
  it('that is off still leaves an overlay no way to the real path of the backup', () => keepsOut('overlay'))
  needs('/dev/fuse').it('that is off leaves a thin copy none either', () => keepsOut('thin'))

  it('is around a full copy too', async () => {
    const before = fingerprint(backup.directory)
    const harm = `(echo harm >>${backup.snapshot}/README); ls -d /home`
    const said = await saidInside(backup, harm, ['--working-copy', 'copy'])
    expect(said).toMatch(/Read-only file system/)
    expect(said).toMatch(/No such file/)
    expect(fingerprint(backup.directory)).toBe(before)
  })

  it('holds programs of PostgreSQL that lie in a hidden home', async () => {
    const home = aDirectory('pgbk-home-')
    const bin = join(home, 'pgsql/bin')
    mkdirSync(join(home, 'pgsql'))
    await run(['chmod', '755', home]).catch(() => {})
    await execa('cp', ['-a', join(binOf(anyMajor), '.'), bin])
    symlinkSync(join(binOf(anyMajor), '../lib'), join(home, 'pgsql/lib'))
    writeFileSync(join(home, 'secret'), 'open sesame')
    const env = { HOME: home, PGBK_BIN_DIR: bin }
    const said = await saidInside(backup, `ls -A ${home} ${home}/pgsql`, [], { env })
    expect(said).toContain('bin')
    expect(said).not.toContain('secret')
  })

  it.each([
    ['is a directory of PostgreSQL', '/usr/lib/postgresql'],
    ['is that of its programs', binOf(anyMajor)],
    ['holds the programs of the system', '/usr'],
    ['is one of the system, like that of the user bin', '/bin'],
  ])('is there where HOME %s', async (_what, home) => {
    const { stdout, stderr } = await localRun(backup.root, ['--', 'psql', '-XAtqc', sqlOf('ls -d /home')], {
      env: { HOME: home },
    })
    expect(stderr).not.toContain('sandbox')
    expect(stdout).toContain('No such file')
  })

  it('is there where HOME is above the root and the backup, which it hides but for that', async () => {
    const home = dirname(backup.root)
    writeFileSync(join(backup.root, 'secret'), 'open sesame')
    const look = `ls -A ${backup.root} ${backup.root}/data/backup`
    for (const HOME of [backup.root, ...(home === '/tmp' ? [] : [home])]) {
      const said = await saidInside(backup, look, [], { env: { HOME } })
      expect(said).toContain(backup.record.id)
      expect(said).not.toContain('secret')
    }
  })

  it('hides a home that HOME names by a link', async () => {
    const home = aDirectory('pgbk-home-')
    writeFileSync(join(home, 'secret'), 'open sesame')
    symlinkSync(home, `${home}-link`)
    atEnd(() => rmSync(`${home}-link`))
    const said = await saidInside(backup, `ls -A ${home}`, [], { env: { HOME: `${home}-link` } })
    expect(said).not.toContain('secret')
  })

  needs('user namespaces', 'root', 'mounts').it(
    'is there for a root on a disk that is mounted nosuid, nodev and noexec',
    async () => {
      const place = aDirectory()
      const disk = 'mount -t tmpfs -o mode=0755,nosuid,nodev,noexec tmpfs "$1"'
      const script = `${disk} && cp -a "$2" "$1/root" && shift 2 && exec "$@"`
      const psql = [
        '--',
        'psql',
        '-XAtqc',
        sqlOf(`ls -d /home; grep ' ${place}/root/data/backup/' /proc/mounts`),
      ]
      const pgbk = [...asUser(), process.execPath, program, 'local-run', '-C', `${place}/root`, ...psql]
      const words = ['--mount', 'sh', '-c', script, 'sh', place, backup.root, ...pgbk]
      const { stdout, stderr } = await execa('unshare', words, {
        env: { XDG_CACHE_HOME: place },
        reject: false,
      })
      expect(stderr).not.toContain('sandbox')
      expect(stdout).toContain('No such file')
      expect(stdout).toMatch(/ ro,nosuid,nodev,noexec/)
    },
  )

  it('that cannot be closed, since its socket directory is written to, ends the run and says why', async () => {
    const bin = join(aDirectory(), 'bin')
    const real = binOf(anyMajor)
    await execa('cp', ['-a', real, bin])
    const script = `#!/bin/sh
      for word; do
        case $word in unix_socket_directories=*) exec 9>"\${word#*=}/held" ;; esac
      done
      exec ${real}/postgres "$@"`
    writeFileSync(join(bin, 'postgres'), script, { mode: 0o755 })
    const { status, stderr } = await localRun(backup.root, ['--', 'true'], { env: { PGBK_BIN_DIR: bin } })
    expect(stderr).toMatch(/the directory of the server's socket cannot be made read-only: .*busy/)
    expect(status).toBe(1)
    expect(remainsOf(backup.root)).toEqual(nothing)
  })

  it('is not there where no network name space can be made, which is said, and the rest of it stays', async () => {
    const { stderr, stdout } = await runPgbkWithout('--net', [
      '--',
      'psql',
      '-XAtqc',
      sqlOf('ls /home; ls /proc/net'),
    ])
    expect(stderr).toMatch(
      /runs without its sandbox \(unshare: .*\): what is in the data can reach the network/,
    )
    expect(stdout).toContain("cannot access '/home'")
  })

  it('is not there where no name spaces can be made, which is said, and the run goes on', async () => {
    const { stderr, stdout } = await runPgbkWithout('--pid', ['--', 'psql', '-XAtqc', 'select 42'])
    expect(stderr).toMatch(
      /runs without its sandbox \(unshare: .*\): what is in the data can reach all that you can/,
    )
    expect(stdout).toBe('42')
  })

  it('is not there where the server program does not start in it', async () => {
    const bin = join(aDirectory(), 'bin')
    await execa('cp', ['-a', binOf(anyMajor), bin])
    const home = aDirectory('pgbk-home-')
    writeFileSync(join(home, 'real'), `#!/bin/sh\nexec ${binOf(anyMajor)}/postgres "$@"\n`, { mode: 0o755 })
    writeFileSync(join(bin, 'postgres'), `#!/bin/sh\nexec ${home}/real "$@"\n`, { mode: 0o755 })
    const env = { HOME: home, PGBK_BIN_DIR: bin }
    const { stdout, stderr } = await localRun(backup.root, ['--', 'psql', '-XAtqc', 'select 42'], { env })
    expect(stderr).toMatch(/runs without its sandbox \(.*programs do not start in it.*\)/)
    expect(stdout).toBe('42')
  })

  /** With an `unshare` that refuses this option. */
  function runPgbkWithout(option: string, args: string[]) {
    const bin = aDirectory()
    const script = `#!/bin/sh
      for word; do
        [ "$word" != sh ] || break
        [ "$word" != ${option} ] || { echo 'unshare: unshare failed: Operation not permitted' >&2; exit 1; }
      done
      exec /usr/bin/unshare "$@"`
    writeFileSync(join(bin, 'unshare'), script, { mode: 0o755 })
    const env = { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` }
    return runPgbk(['local-run', '-C', backup.root, ...args], { env })
  }
})
