/** The characters of data, each of 5 bits. */
const characters = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]

/** Whether the checksum of a text in bech32 is right (BIP 173): no character of it was mistyped. */
export function isBech32(text: string): boolean {
  if (text !== text.toLowerCase() && text !== text.toUpperCase()) return false
  const lower = text.toLowerCase()
  const border = lower.lastIndexOf('1')
  const prefix = [...lower.slice(0, border)].map((character) => character.charCodeAt(0))
  const data = [...lower.slice(border + 1)].map((character) => characters.indexOf(character))
  if (border < 1 || data.length < 6 || data.includes(-1)) return false
  return checksum([...prefix.map((code) => code >> 5), 0, ...prefix.map((code) => code & 31), ...data]) === 1
}

function checksum(values: number[]): number {
  let sum = 1
  for (const value of values) {
    const top = sum >>> 25
    sum = ((sum & 0x1ff_ffff) << 5) ^ value
    generator.forEach((term, bit) => {
      if ((top >> bit) & 1) sum ^= term
    })
  }
  return sum
}
