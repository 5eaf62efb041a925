import type { ReadImage } from '../squashfs/metadata.js'
import { type Extent, openStoredImage, type StoredImage } from '../squashfs/stored-image.js'
import { type Superblock, superblockBytes, superblockIn } from '../squashfs/superblock.js'

/** What every server reads of an image when it starts on it. */
export interface FirstReads {
  /** By each start. */
  ofStart: Extent[]
  /** By the first session of a database, of each. */
  ofDatabases: Extent[][]
}

/** Whose tables take more, in bytes: its tables come as they are read. */
const mostOfTables = 512 << 10
/** Of all that is fetched for one purpose, and of one file, in bytes as they lie. */
const mostInAll = 4 << 20
const mostOfFile = 512 << 10
const mostDatabases = 100
const mostFiles = 200

/** Directories all of whose files are small, and read. */
const readWhole = ['conf', 'data', 'data/global', 'data/pg_logical']
/** Those of whose files, numbered as they grow, the last one is read. */
const readLast = [
  'data/pg_xact',
  'data/pg_multixact/offsets',
  'data/pg_multixact/members',
  'data/pg_commit_ts',
]

/** The beginnings of these are read: of the first segment that is replayed, and of a manifest of any length. */
const mostOfBeginning = 64 << 10
const mostSegments = 4

/**
 * Catalogs and indexes that a session reads before it answers, by relation numbers, which those of src/include/catalog/*.h are until
 * somebody rewrites one. Traced on 13, 17 and 18.
 */
const catalogs = new Set(
  `1247 1249 1255 1259 2228 2601 2602 2603 2605 2606 2610 2615 2616 2617 2619 2653 2654 2655 2659 2661 2662 2663 2665 2678 2679 2684 2686
2687 2688 2689 2690 2691 2696 2703 2704 2753 2755 3085 3164 3379 3456 3466 3467 3468 PG_VERSION pg_filenode.map`.split(
    /\s+/,
  ),
)

/**
 * Where all that lies, by the image's own tables. It is a hint: what an image from elsewhere says of itself is bounded, and is not trusted.
 * @param expect is told what will be read to find it out.
 * @throws {PgbkError} `damaged` where that is not squashfs; as `read`.
 */
export async function firstReadsOf(
  bytes: number,
  read: ReadImage,
  expect: (extents: Extent[]) => void,
): Promise<FirstReads> {
  // Small images have their tables in there.
  expect([[Math.max(0, bytes - mostOfBeginning), bytes]])
  const superblock = superblockIn(await read(0, superblockBytes), bytes)
  if (!superblock) return { ofStart: [], ofDatabases: [] }
  const tables = tablesOf(superblock)
  expect(tables)
  const image = openStoredImage(superblock, read)
  const ofStart = [...tables, ...(await filesOfStart(image))]
  return { ofStart: atMost(ofStart), ofDatabases: (await catalogsIn(image)).map(atMost) }
}

function tablesOf({ inodeTable, bytes }: Superblock): Extent[] {
  return bytes - inodeTable <= mostOfTables ? [[inodeTable, bytes]] : []
}

async function filesOfStart(image: StoredImage): Promise<Extent[]> {
  const extents: Extent[] = []
  const take = async (directory: string, names: readonly string[], most: number) => {
    for (const name of names) extents.push(...(await image.extentsOf(`${directory}/${name}`, most)))
  }
  for (const directory of readWhole)
    await take(directory, (await namesIn(image, directory)).slice(0, mostFiles), mostOfBeginning)
  for (const directory of readLast)
    await take(directory, (await namesIn(image, directory)).slice(-1), mostOfFile)
  const segments = (await namesIn(image, 'data/pg_wal')).filter((name) => /^[0-9A-F]{24}$/.test(name))
  await take('data/pg_wal', segments.slice(0, mostSegments), mostOfBeginning)
  return extents
}

async function catalogsIn(image: StoredImage): Promise<Extent[][]> {
  const databases: Extent[][] = []
  for (const oid of (await namesIn(image, 'data/base')).slice(0, mostDatabases)) {
    const directory = `data/base/${oid}`
    const extents: Extent[] = []
    for (const name of await namesIn(image, directory))
      if (catalogs.has(name)) extents.push(...(await image.extentsOf(`${directory}/${name}`, mostOfFile)))
    databases.push(extents)
  }
  return databases
}

async function namesIn(image: StoredImage, directory: string): Promise<string[]> {
  return ((await image.namesIn(directory)) ?? []).sort()
}

function atMost(extents: readonly Extent[]): Extent[] {
  let left = mostInAll
  return extents.filter(([from, to]) => {
    left -= to - from
    return left >= 0
  })
}
