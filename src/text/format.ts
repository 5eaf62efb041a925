const sizeUnits = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']

/** Bytes as people read them, by PostgreSQL's units: 1 kB is 1024 bytes. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (Math.round(value) >= 1000 && unit < sizeUnits.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${sizeUnits[unit]}`
}

/** `2.1 GB`, or `at least 48.0 MB` */
export function formatAtLeast({ bytes, isExact }: { bytes: number; isExact: boolean }): string {
  return `${isExact ? '' : 'at least '}${formatBytes(bytes)}`
}

/** A span as people read it: `0.8 s`, `12 s`, `4 min 10 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000
  const whole = Math.round(seconds)
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes} min ${whole % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** How long ago something was, in its largest unit: `just now`, `5 minutes`, `3 days`. */
export function formatAge(ms: number): string {
  const units: [string, number][] = [
    ['year', 365 * 86_400_000],
    ['month', 30 * 86_400_000],
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
  ]
  for (const [name, length] of units) {
    const count = Math.floor(ms / length)
    if (count >= 1) return `${count} ${name}${count === 1 ? '' : 's'}`
  }
  return ms < -60_000 ? 'in the future' : 'just now'
}

/** The same as a sentence has it: `5 minutes ago`, `just now`. */
export function formatAgo(ms: number): string {
  const age = formatAge(ms)
  return /\d/.test(age) ? `${age} ago` : age
}

/** A time of a record, ISO 8601 in UTC, as people read it: `2026-11-20 03:00:12 UTC`. */
export function formatTime(time: string): string {
  return time.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')
}

/** The same with the time of this machine's zone behind it, where that is another. */
export function formatTimes(time: string): string {
  const date = new Date(time)
  const offset = -date.getTimezoneOffset()
  if (offset === 0) return formatTime(time)
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19).replace('T', ' ')
  const digits = (value: number) => String(value).padStart(2, '0')
  const zone = `${offset < 0 ? '-' : '+'}${digits(Math.floor(Math.abs(offset) / 60))}:${digits(Math.abs(offset) % 60)}`
  return `${formatTime(time)}, here ${local} ${zone}`
}
