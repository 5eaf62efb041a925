import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { withoutRights } from '../../../src/postgres/local/server-process.js'
import { asUser } from '../../helpers/users.js'

describe('a server without rights', () => {
  it('is started by an ordinary user without a word about what only capabilities allow', () => {
    const words = withoutRights(false)
    expect(words.join(' ')).not.toContain('bounding')
    const [file = '', ...args] = [
      ...asUser(),
      ...words,
      'grep',
      '-E',
      'CapEff|NoNewPrivs',
      '/proc/self/status',
    ]
    const { stdout, stderr } = execaSync(file, args, { cwd: '/' })
    expect(stdout.replaceAll('\t', ' ')).toBe('CapEff: 0000000000000000\nNoNewPrivs: 1')
    expect(stderr).toBe('')
  })

  it('has nothing to win by another program either where the user rules', () => {
    expect(withoutRights(true)).toContain('--bounding-set=-all')
  })
})
