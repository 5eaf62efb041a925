import { beforeAll, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { cache, localRun, nothing, remainsOf } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { program } from '../helpers/pgbk.js'
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
async function amongOwnMounts(script: string, words: string[]): Promise<Ended> {
  const pgbk = [...asUser(), process.execPath, program, 'local-run', '-C', backup.root, ...words]
  const env = { HOME: cache, XDG_CACHE_HOME: cache, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
  const ended = await execa('unshare', ['--mount', 'sh', '-c', script, 'sh', ...pgbk], {
    env,
    cwd: '/',
    reject: false,
  })
  return { status: ended.exitCode, stdout: ended.stdout, stderr: ended.stderr }
}

needs('root', 'mounts', 'user namespaces', '/dev/fuse').describe('a thin run', () => {
  it('is one of files of another user, if they can be read', async () => {
    const { directory, root } = backup
    const give = `chown -R nobody "$1" && chmod -R g+rX "$1"`
    await execa('sh', ['-c', give, 'sh', directory])
    const change = 'update ledger set at = null; create table more tablespace two as select 1'
    expect(await localRun(root, [...args, ...psql(change)])).toMatchObject({ status: 0 })
    expect((await localRun(root, [...args, ...psql(filledRows)])).stdout).toBe(filledAnswer)
    await execa('chown', ['-R', '--reference', root, directory])
  })

  it.each([
    ['has mode 0600 (permission denied)', 'chmod 600 $file && mount --bind $file /dev/fuse'],
    [
      'there is no /dev/fuse',
      // The backup may lie in /dev/shm.
      'mount -t tmpfs tmpfs /mnt && mknod -m 666 /mnt/null c 1 3 && mkdir /mnt/shm && mount --bind /dev/shm /mnt/shm && mount --rbind /mnt /dev',
    ],
  ])('that is not possible says why: %s', async (reason, prepare) => {
    const file = `${aDirectory('pgbk-device-')}/fuse`
    const script = `file=${file}; : >$file && ${prepare} && exec "$@"`
    const { status, stderr } = await amongOwnMounts(script, [...args, '--', 'true'])
    expect({ status, said: stderr.includes(reason) }).toEqual({ status: 1, said: true })
    expect(remainsOf(backup.root)).toEqual(nothing)
  })
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
      for n in 1 2 3 4 5 6 7 8 9; do [ -z "$(losetup -j image)" ] || sleep 0.2; done
      losetup -j image
      touch end
      wait $!`
        const wait = `touch ${place}/ready; until [ -e ${place}/end ]; do sleep 0.1; done`
        const words = ['--working-copy', copy, '--sandbox', 'off', '--', 'sh', '-c', wait]
        expect(await amongOwnMounts(script, words)).toMatchObject({ status: 0, stdout: '' })
      },
    )
  },
)
