const pattern = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/

/** The id of a backup that starts at this time: the UTC time to the second, `20261120T030000Z`. */
export function idOf(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

/** The start time that an id stands for, or undefined if the text is not an id. */
export function timeOfId(text: string): Date | undefined {
  const parts = pattern.exec(text)
  if (!parts) return undefined
  const [, year, month, day, hour, minute, second] = parts
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time.getTime()) || idOf(time) !== text ? undefined : time
}

/** Nearly all: no month is shorter. */
const plainId = /^[2-9]\d{3}(?:0[1-9]|1[0-2])(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3])[0-5]\d[0-5]\dZ$/

export function isId(text: string): boolean {
  if (plainId.test(text)) return true
  return timeOfId(text) !== undefined
}

/** The id of the first free second from this time on. */
export function nextFreeId(time: Date, isTaken: (id: string) => boolean): string {
  for (let ms = time.getTime(); ; ms += 1000) {
    const id = idOf(new Date(ms))
    if (!isTaken(id)) return id
  }
}
