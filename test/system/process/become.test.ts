import { expect } from '@jest/globals'
import { ifRoot } from '../../helpers/needs.js'
import { runPgbk } from '../../helpers/pgbk.js'
import { aRoot } from '../../helpers/server.js'

/** As the Node.js of Debian 13 does. */
const noChange = `for (const name of ['seteuid', 'setegid', 'setuid', 'setgid', 'setgroups', 'initgroups'])
  process[name] = () => { throw new Error(name + '() disabled: io_uring may be enabled. See CVE-2024-22017.') }`

ifRoot(
  'a Node.js that lets root become nobody is told as that, with what to do, and nothing is done',
  async () => {
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(noChange)}`
    const root = await aRoot()
    const { status, stdout, stderr } = await runPgbk(['list', '-C', root], {
      asRoot: true,
      env: { NODE_OPTIONS },
    })
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(
      /^pgbk: this Node\.js \(.*\) does not let root become user \w+, .*: seteuid\(\) disabled: io_uring/,
    )
    expect(stderr).toMatch(/^Run pgbk as that user: {2}runuser -u "\$\(id -nu \d+\)" -- pgbk/m)
  },
)
