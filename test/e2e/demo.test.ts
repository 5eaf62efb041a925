import { readdirSync } from 'node:fs'
import { expect } from '@jest/globals'
import { eachUser, needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'

eachUser('the demo as %s', (user) => {
  needs('PostgreSQL programs').it(
    'shows every command with its real output and leaves nothing behind',
    async () => {
      const directory = aDirectory()
      const { status, stdout, stderr } = await runPgbk(['demo'], {
        asRoot: user === 'root',
        env: { TMPDIR: directory },
      })
      expect(status).toBe(0)
      for (const command of ['create', 'list', 'show', 'local-run', 'download', 'restore', 'instance'])
        expect(stderr).toContain(`$ pgbk ${command}`)
      expect(stderr).toContain('backup successfully verified')
      // Why it copies, where user namespaces are forbidden, is in unshare's words; temporary names are chance.
      const said = stderr.replaceAll(directory, '').replaceAll(/pgbk-demo-\w+|unshare: unshare failed/g, '')
      expect(said).not.toMatch(/error|fail/i)
      expect(stdout).toContain('That was all')
      expect(readdirSync(directory)).toEqual([])
    },
  )
})
