import type { Socket } from 'node:net'
import { isRaw, rawBytes } from '../../text/raw-text.js'

/** What a session begins with, which may be names that are not UTF-8. */
interface SessionNames {
  user: string
  database: string
}

/** Whether the client package, which writes texts as UTF-8, cannot say them. */
export function needsRawStartup({ user, database }: SessionNames): boolean {
  return isRaw(user) || isRaw(database)
}

/**
 * Has a connected socket put the bytes of the two names into the first packet, the startup message: its length, the version of
 * the protocol, and texts that end with zeros, names and values by turns (StartupMessage in the manual, "Message Formats").
 */
export function sayRawNames(socket: Socket, { user, database }: SessionNames): void {
  const write = socket.write.bind(socket)
  const first = (packet: Buffer) => {
    socket.write = write
    return write(withRawNames(packet, { user, database }))
  }
  socket.write = first as Socket['write']
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
