/** The milliseconds of a span like `30 seconds` or `1 minute`. */
export function msOfSpan(text: string): number {
  const [count = '', unit = ''] = text.split(' ')
  return Number(count) * (unit.startsWith('minute') ? 60_000 : 1000)
}
