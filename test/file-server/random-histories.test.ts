import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { roundsOf, seed } from '../helpers/chance.js'
import { aProgram, onMount } from '../helpers/mounted.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { attempt, run } from '../helpers/programs.js'

/** Some ten thousand in `npm run test:long`. */
const histories = roundsOf(4) * 67

needs('user namespaces', '/dev/fuse').it(
  `a file system of the file server does in ${histories} random histories what a model of it does (seed ${seed})`,
  async () => {
    const exerciser = aProgram('exerciser/exerciser.ts')
    const place = aDirectory('pgbk-fuse-')
    const [files, origin, store] = ['files', 'origin', 'store'].map((name) => join(place, name)) as [
      string,
      string,
      string,
    ]
    await run(['mkdir', files, origin, store])
    await run([...exerciser, 'make', origin, String(histories)])
    const before = await sumOf(origin)
    const exercise = [...exerciser, 'run', files, store, String(histories), String(seed)]
    const { status, stdout } = await attempt(onMount({ files, origin, store }, exercise))
    expect(stdout).toBe(`1000 and 1000 names\n${histories} histories, 0 files left, 0 directories`)
    expect({ status, log: readFileSync(`${files}.log`, 'utf8') }).toEqual({ status: 0, log: '' })
    expect(await sumOf(origin)).toBe(before)
  },
  1_800_000,
)

/** Of names, which need not be UTF-8, bytes, modes and times. */
async function sumOf(directory: string): Promise<string> {
  return (await run(['sh', '-c', 'tar -c --sort=name "$1" | sha1sum', 'sh', directory])).stdout
}
