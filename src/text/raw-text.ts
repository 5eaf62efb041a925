import { isUtf8 } from 'node:buffer'

/**
 * Names and paths of a server are bytes, in the encoding of whoever made them. As texts of this program they keep those that are no
 * UTF-8 as lone surrogates, U+DC80 to U+DCFF, so that the same bytes can be said to the server again.
 */
const lone = /[\udc80-\udcff]/u
const loneOrNot = /([\udc80-\udcff]+)/u

export function textOf(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return Buffer.from(bytes).toString()
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find(
      (size) => at + size <= bytes.length && isUtf8(bytes.subarray(at, at + size)),
    )
    const byte = bytes[at] as number
    text +=
      length === undefined
        ? String.fromCharCode(0xdc00 + byte)
        : Buffer.from(bytes.subarray(at, at + length)).toString()
    at += length ?? 1
  }
  return text
}

export function rawBytes(text: string): Buffer {
  const parts = text
    .split(loneOrNot)
    .map((part) =>
      lone.test(part)
        ? Buffer.from(part, 'utf16le').filter((_, index) => index % 2 === 0)
        : Buffer.from(part),
    )
  return Buffer.concat(parts)
}

/** Whether it has bytes that are not UTF-8. */
export function isRaw(text: string): boolean {
  return lone.test(text)
}

/** As a part of a URL. */
export function percentEncoded(text: string): string {
  const parts = text.split(loneOrNot)
  return parts.map((part) => (lone.test(part) ? percents(rawBytes(part)) : encodeURIComponent(part))).join('')
}

function percents(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase().replace(/../g, '%$&')
}

/** For people: such bytes are read in an encoding of PostgreSQL's, `LATIN1`, as far as this program knows it. */
export function shownText(text: string, encoding: string): string {
  if (!isRaw(text)) return text
  return new TextDecoder(labelOf(encoding)).decode(rawBytes(text))
}

/** By which the same is called elsewhere (https://encoding.spec.whatwg.org); what PostgreSQL calls LATIN5 and on has other numbers. */
function labelOf(encoding: string): string {
  const [, number] = /^LATIN(\d+)$/.exec(encoding) ?? []
  const part = [1, 2, 3, 4, 9, 10, 13, 14, 15, 16][Number(number) - 1] ?? 1
  const label =
    number === undefined
      ? encoding
          .toLowerCase()
          .replace(/^win(?=\d)/, 'windows-')
          .replace('koi8r', 'koi8-r')
          .replaceAll('_', '-')
      : `iso-8859-${part}`
  try {
    return new TextDecoder(label).encoding
  } catch {
    return 'windows-1252'
  }
}
