import { connect, createServer, type Socket } from 'node:net'

/**
 * A program of its own: `node relay.js PORT`. It takes the connections of the listening socket that is its standard input, and
 * leads each to 127.0.0.1:PORT. A socket keeps the network in which it was made: so people reach a server whose own network nobody
 * else has, and that asks for their password.
 */
const port = Number(process.argv[2])

createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  join(client, server)
  join(server, client)
}).listen({ fd: 0 })

function join(from: Socket, to: Socket): void {
  from.pipe(to)
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroySoon())
}
