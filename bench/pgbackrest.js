import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asUser, check, measure } from './measure.js'

/** Where bench/README.md puts one that is newer than Debian's. */
const program = ['/usr/local/lib/pgbackrest/usr/bin/pgbackrest', '/usr/bin/pgbackrest'].find(existsSync)

/** The settings that a server needs from its start on, for `withServer`. */
export const archiving = "archive_mode = on\narchive_command = '/bin/true'\n"

/** A repository below a directory. */
export function inDirectory(path) {
  return { 'repo1-path': path }
}

/** A repository in a bucket of `withS3`, encrypted. */
export function inBucket(bucket, { port, region, authority, credentials }) {
  return {
    'repo1-type': 's3',
    'repo1-path': '/repository',
    'repo1-s3-bucket': bucket,
    'repo1-s3-endpoint': '127.0.0.1',
    'repo1-storage-port': port,
    'repo1-s3-uri-style': 'path',
    'repo1-s3-region': region,
    'repo1-s3-key': credentials.accessKeyId,
    'repo1-s3-key-secret': credentials.secretAccessKey,
    'repo1-storage-ca-file': authority,
    'repo1-cipher-type': 'aes-256-cbc',
    'repo1-cipher-pass': 'a passphrase of the benchmark',
  }
}

/**
 * pgBackRest for a server that has `archiving` among its settings: full backups with zstd at level 1, two processes, small files bundled
 * and blocks for increments, page checksums looked at. The server archives to it only while it backs up, so that nothing else that is measured pays for that.
 * @param directory of its own, which does not exist. @param repository `inDirectory` or `inBucket`.
 * @returns undefined where it is not installed; a string says why it cannot be used with this server.
 */
export function pgBackRest({ sql, connect }, directory, repository) {
  if (program === undefined) return undefined
  check(asUser(['mkdir', directory]))
  const [, socket, , port, , user] = connect
  const data = sql('SHOW data_directory')
  const config = join(directory, 'pgbackrest.conf')
  const server = { 'pg1-path': data, 'pg1-socket-path': socket, 'pg1-port': port, 'pg1-user': user }
  writeFileSync(config, sections({ global: { ...general(directory), ...repository }, bench: server }))
  const words = (...args) => asUser([program, `--config=${config}`, '--stanza=bench', ...args])
  const archive = async (command) => {
    sql(`ALTER SYSTEM SET archive_command = '${command}'`)
    sql('SELECT pg_reload_conf()')
    await sleep(100)
  }
  try {
    check(words('stanza-create'))
  } catch (error) {
    return `pgBackRest cannot be used: ${/ERROR.*/.exec(error.message)?.[0] ?? error.message}`
  }
  return {
    /** A full backup, with the WAL that it needs. Returns milliseconds, and the bytes of the backup in the repository without WAL. */
    async backUp() {
      await archive(`${program} --config=${config} --stanza=bench archive-push %p`)
      const { ms } = await measure(words('--type=full', 'backup'))
      await archive('/bin/true')
      const [{ backup }] = JSON.parse(check(words('--output=json', 'info')))
      return { ms, bytes: backup.at(-1).info.repository.delta }
    },
    /** Restores the last backup to an empty directory, to be started and recovered to its end. Returns milliseconds. */
    async restore(to) {
      check(asUser(['mkdir', '-p', '-m', '700', to]))
      const target = ['--type=immediate', '--target-action=promote', '--archive-mode=off']
      const { ms } = await measure(words(`--pg1-path=${to}`, ...target, 'restore'))
      return { ms }
    },
  }
}

function general(directory) {
  return {
    'compress-type': 'zst',
    'compress-level': 1,
    'process-max': 2,
    'repo1-bundle': 'y',
    'repo1-block': 'y',
    'repo1-retention-full': 1,
    'start-fast': 'y',
    'lock-path': join(directory, 'lock'),
    'spool-path': join(directory, 'spool'),
    'log-level-file': 'off',
    'log-level-console': 'error',
  }
}

function sections(all) {
  return Object.entries(all)
    .map(
      ([name, settings]) =>
        `[${name}]\n${Object.entries(settings)
          .map((one) => one.join('='))
          .join('\n')}\n`,
    )
    .join('\n')
}
