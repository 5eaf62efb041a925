import { shownText } from '../../text/raw-text.js'

/** What a server says of its names: as it has them, and in which encodings that most likely is. */
interface NamedByBytes {
  /** Of the database that was asked. */
  encoding: string
  tablespaces: { name: string; raw_location: string }[]
  databases: { raw_name: string; encoding: string }[]
}

/** Adds the names that people read. */
export function withShownNames<Facts extends NamedByBytes>(facts: Facts) {
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
