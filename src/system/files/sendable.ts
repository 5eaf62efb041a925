/** Bytes that can be read again from anywhere, so that a part of them can be sent twice. */
export interface Sendable {
  bytes: number
  /** The same bytes each time. */
  read(from: number, length: number): AsyncIterable<Buffer>
}
