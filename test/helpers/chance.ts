/** For tests that try what is drawn by lot: always the same in `npm test`, and other ones in each `npm run test:long`. */
export const seed = Number(process.env.PGBK_TEST_SEED ?? 1)

/** How often such a test tries; `npm run test:long` says how often instead. */
export function roundsOf(usual: number): number {
  return Number(process.env.PGBK_TEST_ROUNDS ?? usual)
}

/** So many numbers from 0 up to the limit, the same ones for the same seed and name (mulberry32). */
export function randomNumbers(count: number, limit: number, name: string): number[] {
  let state = seed + [...name].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) | 0, 7)
  return Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  })
}
