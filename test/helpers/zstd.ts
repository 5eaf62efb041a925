import { execFileSync } from 'node:child_process'

/** Compressed by the program. */
export function zstdOf(bytes: Uint8Array): Buffer {
  return execFileSync('zstd', ['-q', '-c'], { input: bytes, maxBuffer: 1 << 30 })
}

export function unzstd(bytes: Uint8Array): Buffer {
  return execFileSync('zstd', ['-dc'], { input: bytes, maxBuffer: 1 << 30 })
}
