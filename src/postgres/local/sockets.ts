import { randomInt } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { PgbkError, systemCode } from '../../errors.js'
import { hasProc, isOwnUser } from '../../system/process/process-table.js'

/** Where a server's socket is. */
export interface SocketPlace {
  /** The directory of the socket. */
  host: string
  port: number
  /** Whether nobody but the caller may even look into the directory: it was made so, and must still be so. */
  isPrivate?: boolean
}

/** A way to a socket that leads nowhere else, whatever becomes of the path. */
export interface SocketDoor {
  /** To be used as the directory of the socket until the door is closed. */
  host: string
  close(): void
}

/** A path for the directory of a server's socket. Short, because a socket's path has no more than 107 bytes. */
export function newSocketPath(): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  return `/tmp/pgbk-${Array.from({ length: 6 }, () => letters[randomInt(letters.length)]).join('')}`
}

/** Makes that directory, 0700. @throws a system error, also where something is there. */
export function makeSocketDirectory(path = newSocketPath()): string {
  mkdirSync(path, { mode: 0o700 })
  return path
}

/** Removes one that `makeSocketDirectory` has made; what else a path may lead to is not touched. */
export function removeSocketDirectory(directory: string): void {
  if (!/^\/tmp\/pgbk-\w{6}$/.test(directory)) return
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (found?.isDirectory() && isOwnUser(found.uid)) rmSync(directory, { recursive: true, force: true })
}

/** Whether a client can name a socket in this directory (sun_path in sys/un.h; its last byte is a zero). */
export function isShortEnough(directory: string): boolean {
  return Buffer.byteLength(join(directory, '.s.PGSQL.65535')) <= 107
}

/**
 * Opens the way to a socket: its directory is opened once and looked at, and the socket in it must be the caller's own. Otherwise
 * another user could answer in the place of a server that has ended, or is not there yet.
 * @returns undefined while there is no socket.
 * @throws {PgbkError} `failed` when the socket, or a private directory, is not the caller's alone.
 */
export function openSocket({ host, port, isPrivate = false }: SocketPlace): SocketDoor | undefined {
  if (!host.startsWith('/')) throw new PgbkError('failed', `${host} is not the directory of a socket`)
  const descriptor = openDirectory(host, isPrivate)
  if (descriptor === undefined) return undefined
  // A path through the descriptor cannot be led elsewhere, and is always short enough.
  const door = hasProc() ? `/proc/self/fd/${descriptor}` : realpathSync(host)
  const close = () => closeSync(descriptor)
  try {
    const directory = fstatSync(descriptor)
    if (isPrivate && !(isOwnUser(directory.uid) && (directory.mode & 0o077) === 0))
      throw new PgbkError(
        'failed',
        `${host}, the directory of the server's socket, is not the caller's alone`,
      )
    const socket = lstatSync(`${door}/.s.PGSQL.${port}`, { throwIfNoEntry: false })
    if (socket && !(socket.isSocket() && isOwnUser(socket.uid)))
      throw new PgbkError('failed', `the socket of port ${port} in ${host} belongs to another user`)
    if (socket) return { host: door, close }
    close()
    return undefined
  } catch (error) {
    close()
    throw error
  }
}

function openDirectory(path: string, isPrivate: boolean): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | (isPrivate ? constants.O_NOFOLLOW : 0))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw new PgbkError('failed', `${path} is not a directory for a socket (${systemCode(error)})`, {
      cause: error,
    })
  }
}
