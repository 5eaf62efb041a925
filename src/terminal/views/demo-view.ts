import type { DemoResult } from '../../demo/demo.js'
import { formatDuration } from '../../text/format.js'

export function demoJson({ duration_ms, unharmed }: DemoResult): object {
  return { demo: { duration_ms, unharmed } }
}

export function demoText({ duration_ms }: DemoResult): string {
  return `
That was all, in ${formatDuration(duration_ms)}; the server and its directory are gone.
With a server of your own:

  pgbk create -h HOST -U ROLE -C DIRECTORY
`
}
