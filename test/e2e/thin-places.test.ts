import { rmSync, writeFileSync } from 'node:fs'
import { beforeAll, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf, aFile, type MadeBackup } from '../helpers/backup.js'
import { cache, localRun, nothing, remainsOf } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { program, runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, type Ended } from '../helpers/programs.js'
import { aServer, fill, filledAnswer, filledRows } from '../helpers/server.js'
import { asUser } from '../helpers/users.js'

let backup: MadeBackup
beforeAll(async () => {
  const server = await aServer({ major: anyMajor })
  await fill(server)
  backup = await aBackupOf(server)
})

const args = ['--working-copy', 'thin', '--dbname', 'app']
const psql = (statements: string) => ['--', 'psql', '-XAtq', '-c', statements]

/** In a mount name space of root's own; `"$@"` is pgbk, as the ordinary user. */
async function amongOwnMounts(script: string, [command = '', ...words]: string[]): Promise<Ended> {
  const pgbk = [...asUser(), process.execPath, program, command, '-C', backup.root, ...words]
  const env = { HOME: cache, XDG_CACHE_HOME: cache, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
  const ended = await execa('unshare', ['--mount', 'sh', '-c', script, 'sh', ...pgbk], {
    env,
    cwd: '/',
    reject: false,
  })
  return { status: ended.exitCode, stdout: ended.stdout, stderr: ended.stderr }
}

/** Puts a directory before others in PATH, with a program that does something first. */
function aPathWith(name: string, first: string): string {
  const directory = aDirectory('pgbk-bin-')
  writeFileSync(`${directory}/${name}`, `#!/bin/sh\n${first}\nexec /usr/bin/${name} "$@"\n`, { mode: 0o755 })
  return `${directory}:/usr/sbin:/usr/bin:/sbin:/bin`
}

needs('root', 'mounts', 'user namespaces', '/dev/fuse').describe('a thin run', () => {
  it('is one of files of another user, if they can be read', async () => {
    const { directory, root } = backup
    const give = `chown -R nobody "$1" && chmod -R g+rX "$1"`
    await execa('sh', ['-c', give, 'sh', directory])
    const change = 'update ledger set at = null; create table more tablespace two as select 1'
    expect(await localRun(root, [...args, ...psql(change)])).toMatchObject({ status: 0 })
    expect((await localRun(root, [...args, ...psql(filledRows)])).stdout).toBe(filledAnswer)
    const noFuse = 'mount --bind /dev/null /dev/fuse && exec "$@"'
    const { status, stderr } = await amongOwnMounts(noFuse, ['local-run', '--', 'true'])
    expect([status, stderr]).toEqual([1, expect.stringContaining('belongs to another user')])
    expect(stderr).toContain('A thin working copy would do without that: no thin: ')
    await execa('chown', ['-R', '--reference', root, directory])
  })

  it.each([
    [
      '/dev/fuse has mode 0600 (permission denied)',
      'chmod 666 /dev/fuse',
      'chmod 600 $file && mount --bind $file /dev/fuse',
    ],
    [
      'there is no /dev/fuse',
      'modprobe fuse',
      // The backup may lie in /dev/shm.
      'mount -t tmpfs tmpfs /mnt && mknod -m 666 /mnt/null c 1 3 && mkdir /mnt/shm && mount --bind /dev/shm /mnt/shm && mount --rbind /mnt /dev',
    ],
    [
      '/dev/fuse cannot be opened here (',
      'modprobe fuse',
      // As where a container may not use the device: nothing answers at this one.
      'mount -t tmpfs tmpfs /mnt && mknod -m 666 /mnt/fuse c 10 254 && mount --bind /mnt/fuse /dev/fuse',
    ],
    [
      'the kernel does not mount FUSE for users here (mount: files: permission denied.)',
      'from Linux 5.11 on',
      `PATH=${aPathWith('mount', 'case "$*" in *fuse*) echo "mount: files: permission denied." >&2; exit 32; esac')}`,
    ],
    [
      'its file server has ended (status 1)',
      undefined,
      `PATH=${aPathWith('setpriv', 'case "$*" in *file-server*) exit 1; esac')}`,
    ],
  ])(
    'that is not possible says why, and a run without a wish gets an overlay: %s',
    async (reason, remedy, prepare) => {
      const file = `${aDirectory('pgbk-device-')}/fuse`
      const script = `file=${file}; : >$file && ${prepare} && exec "$@"`
      const wished = await amongOwnMounts(script, ['local-run', ...args, '--', 'true'])
      expect(wished).toMatchObject({ status: 1, stderr: expect.stringContaining(`no thin: ${reason}`) })
      expect(wished.stderr).toContain(remedy ?? '')
      const other = await amongOwnMounts(script, [
        'local-run',
        '--dbname',
        'app',
        ...psql('select count(*) from ledger'),
      ])
      expect(other).toMatchObject({
        status: 0,
        stdout: '1000',
        stderr: expect.stringContaining(`no thin: ${reason}`),
      })
      expect(other.stderr).toContain('Files are copied in full when they are first opened: ')
      const { stdout } = await amongOwnMounts(script, ['doctor', '--json'])
      const check = JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === 'working copy')
      const expected = remedy === undefined ? null : expect.stringContaining(remedy)
      expect(check).toMatchObject({
        status: 'warning',
        text: expect.stringContaining(reason),
        remedy: expected,
      })
      expect(remainsOf(backup.root)).toEqual(nothing)
    },
  )
})

needs('user namespaces', '/dev/fuse').it(
  'a run whose file server ends while its server starts goes on with an overlay',
  async () => {
    const killed = '(until [ -e upper/data/postmaster.pid ]; do sleep 0.01; done; kill -9 $$) &'
    const PATH = aPathWith('setpriv', `case "$*" in *file-server*) ${killed} esac`)
    const asked = ['--dbname', 'app', ...psql('select count(*) from ledger')]
    const { status, stdout, stderr } = await localRun(backup.root, asked, { env: { PATH } })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '1000' })
    expect(stderr).toContain('no thin: its file server has ended (status 137)')
    expect(remainsOf(backup.root)).toEqual(nothing)
  },
)

needs('user namespaces', '/dev/fuse').it('a proof starts a thin copy, where nothing is wished', async () => {
  const { root } = backup
  const mounts = "regexp_split_to_table(pg_read_file('/proc/self/mountinfo'), '\\n') line"
  const statement = `select count(*) from ${mounts} where line ~ 'snapshot/data/base .* fuse pgbk-thin'`
  await aFile(`${root}/.pgbkrc.yaml`, JSON.stringify({ verify: { sql: [{ statement, expect: 1 }] } }))
  const { status, stdout } = await runPgbk(['verify', '--prove', '--json', '-C', root])
  expect([status, JSON.parse(stdout).checks[0].proof.faults]).toEqual([0, []])
  rmSync(`${root}/.pgbkrc.yaml`)
})

needs('root', 'mounts', 'loop devices', 'program mkfs.ext4', 'user namespaces', '/dev/fuse').describe(
  'a run without a sandbox',
  () => {
    it.each(['overlay', 'thin'])(
      'on an %s copy lets go of a disk that is unmounted meanwhile',
      async (copy) => {
        const place = aDirectory('pgbk-disk-')
        const script = `
      mount --make-rshared / && cd ${place} && mkdir disk && truncate -s 32M image && mkfs.ext4 -q image && mount -o loop image disk
      "$@" &
      until [ -e ready ] || ! kill -0 $!; do sleep 0.1; done
      umount disk
      for n in $(seq 50); do [ -z "$(losetup -j image)" ] || sleep 0.2; done
      losetup -j image
      touch end
      wait $!`
        const wait = `touch ${place}/ready; until [ -e ${place}/end ]; do sleep 0.1; done`
        const words = ['local-run', '--working-copy', copy, '--sandbox', 'off', '--', 'sh', '-c', wait]
        expect(await amongOwnMounts(script, words)).toMatchObject({ status: 0, stdout: '' })
      },
    )
  },
)
