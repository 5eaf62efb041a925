import { shownText } from '../../text/raw-text.js'

/**
 * Adds the names that people read.
 * @param facts what a server says of its names: as it has them, and in which encodings that most likely is.
 */
export function shownNames<
  Tablespace extends { name: string; raw_location: string },
  Database extends { raw_name: string; encoding: string },
>(facts: {
  /** Of the database that was asked. */
  encoding: string
  tablespaces: Tablespace[]
  databases: Database[]
}) {
  return {
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
