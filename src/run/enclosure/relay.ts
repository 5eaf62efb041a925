import { connect, createServer, type Socket } from 'node:net'

/**
 * A program of its own: `node relay.js PORT RUN PARENT`. It takes the connections of the listening socket that is its standard input, and
 * leads each to 127.0.0.1:PORT. A socket keeps the network in which it was made: so people reach a server whose own network nobody
 * else has, and that asks for their password. RUN is a word by which it is known. It ends at once where PARENT, a pid, is not its parent
 * any more: one that has ended before this program asked to end with it (prctl(2), PR_SET_PDEATHSIG) would never end it.
 */
const port = Number(process.argv[2])
const parent = Number(process.argv[4])

const relay = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  join(client, server)
  join(server, client)
})
if (process.ppid === parent) relay.listen({ fd: 0 })

function join(from: Socket, to: Socket): void {
  from.pipe(to)
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroySoon())
}
