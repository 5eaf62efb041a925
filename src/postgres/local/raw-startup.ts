import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { isRaw, rawBytes } from '../../text/raw-text.js'

/** Where a session begins that has to say names which are not UTF-8. */
export interface RawStartup {
  /** The path of the socket. */
  path: string
  user: string
  database: string
}

/** Whether the client package, which writes texts as UTF-8, cannot say them. */
export function needsRawStartup({ user, database }: Omit<RawStartup, 'path'>): boolean {
  return isRaw(user) || isRaw(database)
}

/**
 * A connected socket, which puts the bytes of the two names into the first packet, the startup message: its length, the version of
 * the protocol, and texts that end with zeros, names and values by turns (StartupMessage in the manual, "Message Formats").
 */
export async function rawSocket({ path, user, database }: RawStartup): Promise<Socket> {
  const socket = connect(path)
  await once(socket, 'connect')
  const write = socket.write.bind(socket)
  const first = (packet: Buffer) => {
    socket.write = write
    return write(withRawNames(packet, { user, database }))
  }
  socket.write = first as Socket['write']
  return socket
}

const headerBytes = 8

/** @param packet as the package makes it; only its two names are replaced. */
export function withRawNames(packet: Buffer, names: Record<string, string>): Buffer {
  const texts = packet.subarray(headerBytes, -2).toString('latin1').split('\0')
  const said = texts.map((text, index) => {
    const raw = index % 2 === 1 ? names[texts[index - 1] ?? ''] : undefined
    return Buffer.concat([raw === undefined ? Buffer.from(text, 'latin1') : rawBytes(raw), Buffer.alloc(1)])
  })
  const body = Buffer.concat([packet.subarray(4, headerBytes), ...said, Buffer.alloc(1)])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length + 4)
  return Buffer.concat([length, body])
}
