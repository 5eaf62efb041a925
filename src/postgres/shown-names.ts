import { shownText } from '../raw-text.js'
import type { ServerFacts } from './server-facts.js'

/**
 * Adds the names that people read to those that the server has. A database's is most likely in the encoding of the database.
 * @param facts with the encoding of the database that was asked.
 */
export function withShownNames(facts: ServerFacts & { encoding: string }): ServerFacts {
  return {
    ...facts,
    tablespaces: facts.tablespaces.map((tablespace) => ({
      ...tablespace,
      name: shownText(tablespace.name, facts.encoding),
      location: shownText(tablespace.raw_location, facts.encoding),
    })),
    databases: facts.databases.map((database) => ({
      ...database,
      name: shownText(database.raw_name, database.encoding),
    })),
  }
}
