/** Whether this is the URL of a server that HTTP reaches, without a password in it. */
export function isWebUrl(text: string): boolean {
  const { protocol, username, password } = URL.canParse(text) ? new URL(text) : {}
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === ''
}
