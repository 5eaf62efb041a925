declare const bytes: unique symbol

/**
 * A path, or a part of one, as the file system has it: bytes, which need not be UTF-8. Each stands as one character (latin1), so that
 * it takes little room, is compared and joined like any string, and never loses a byte. Not for people (`shownPath`), nor for calls of
 * the system (`systemPath`).
 */
export type BytePath = string & { readonly [bytes]: true }

/** @param path text, which is UTF-8, or the bytes themselves. */
export function bytePath(path: string | Uint8Array): BytePath {
  if (typeof path === 'string' && isAscii(path)) return path as BytePath
  return Buffer.from(path as Uint8Array).toString('latin1') as BytePath
}

/** For the functions of node:fs. */
export function systemPath(path: BytePath): string | Buffer {
  return isAscii(path) ? path : pathBytes(path)
}

export function pathBytes(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1')
}

/** For messages: bytes that are not UTF-8 are replaced. */
export function shownPath(path: BytePath): string {
  return isAscii(path) ? path : pathBytes(path).toString()
}

/** `name` in a directory; no check is made. */
export function joinBytes(directory: BytePath, name: BytePath): BytePath {
  return (directory === '' ? name : `${directory}/${name}`) as BytePath
}

/** Whether it is UTF-8. */
export function isText(path: BytePath): boolean {
  return bytePath(shownPath(path)) === path
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text)
}
