/** A value in a connection string of keywords and values (the manual, "Keyword/Value Connection Strings" of libpq-connect). */
export function conninfoValue(value: string): string {
  return /^[\w./:@,+-]+$/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`
}
