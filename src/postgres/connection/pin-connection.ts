import type { Connection } from './connection.js'
import type { ServerPlace } from './server-place.js'
import { withoutChoosingService } from './service-file.js'

/**
 * The same connection, to the one server that has answered and to no other of a list, of a name's addresses, of a service file or
 * of the environment. What chooses between servers is left out: the one that is pinned has been chosen, programs of older majors do
 * not know all ways to choose, and before 14 libpq asks by SQL, which no walsender answers (src/interfaces/libpq/fe-connect.c).
 */
export function pinned(connection: Connection, { host, port, address }: ServerPlace): Connection {
  const own = withoutChoosingService(connection)
  const { load_balance_hosts: _balance, ...parameters } = own.parameters
  const {
    PGTARGETSESSIONATTRS: _attributes,
    PGLOADBALANCEHOSTS: _balanced,
    PGHOSTADDR: _address,
    ...env
  } = own.env
  return {
    env,
    // Values of a service file stand behind these, empty ones too.
    parameters: {
      ...parameters,
      host,
      port: String(port),
      hostaddr: address ?? '',
      target_session_attrs: 'any',
    },
  }
}
