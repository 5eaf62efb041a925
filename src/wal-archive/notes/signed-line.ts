import { createHmac, timingSafeEqual } from 'node:crypto'

/** A line with a text in it that was signed with a key. */
export function signedLine(text: string, key: Buffer): string {
  return `${signature(text, key)} ${text}`
}

/** The text of such a line; undefined where it was not signed with this key. */
export function signedText(line: string, key: Buffer): string | undefined {
  const [, signed = '', text = ''] = /^([0-9a-f]{64}) (\{.*\})$/s.exec(line) ?? []
  const isSigned = text !== '' && timingSafeEqual(Buffer.from(signed), Buffer.from(signature(text, key)))
  return isSigned ? text : undefined
}

function signature(text: string, key: Buffer): string {
  return createHmac('sha256', key).update(text).digest('hex')
}
