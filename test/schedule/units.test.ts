import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { parseTimes } from '../../src/schedule/times.js'
import { systemdUnits, type Unit } from '../../src/schedule/units.js'
import { aDirectory } from '../helpers/places.js'

const units = (root: string, args: string[] = [], needsNamespaces = false): Unit[] =>
  systemdUnits({
    surroundings: {
      self: ['/usr/bin/env', '/opt/pgbk.js'],
      root,
      configFile: undefined,
      variables: { PGHOST: '/a b%' },
    },
    user: 'root',
    times: parseTimes('sun 03:00', 'week'),
    commands: [['create', ...args], ['prune']],
    receive: ['wal', 'receive', ...args],
    needsNamespaces,
  })

function verify(made: Unit[]) {
  const directory = aDirectory()
  const files = made.map(({ name, text }) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  })
  const { exitCode, stderr } = execaSync('systemd-analyze', ['verify', ...files], { reject: false })
  return { exitCode, own: stderr.split('\n').filter((line) => line.includes(directory)) }
}

describe('units for systemd', () => {
  it.each(['/srv/backups', '/srv/with space', '/srv/50% "off" $HOME\\x', "/srv/o'clock"])(
    'for %s are found right by systemd-analyze',
    (root) => {
      const made = units(root, ['-d', `host=db1 application_name='100% $HOME'`])
      expect(verify(made)).toEqual({ exitCode: 0, own: [] })
      for (const { name } of made) expect(name).toMatch(/^pgbk-[A-Za-z0-9-]+\.(service|timer)$/)
    },
  )

  it('pass every character on as it is', () => {
    const [, , receiver] = units('/srv/50% "off" $HOME\\x', ['-d', "user='o x'"])
    const lines = receiver?.text.match(/^(ExecStart|Environment|ReadWritePaths)=.*$/gm)
    expect(lines).toEqual([
      `ExecStart=/usr/bin/env /opt/pgbk.js wal receive -d "user='o x'" -C "/srv/50%% \\"off\\" $$HOME\\\\x"`,
      'Environment="PGHOST=/a b%%"',
      'ReadWritePaths="/srv/50%% \\"off\\" $HOME\\\\x" /tmp',
    ])
  })

  it('that are broken are not', () => {
    const broken = units('/srv/backups').map((unit) => ({
      ...unit,
      text: unit.text.replace('Type=', 'Typo='),
    }))
    expect(verify(broken).own).not.toEqual([])
  })

  it('write nowhere but in the root, and may make name spaces only for a proof', () => {
    const [backup] = units('/srv/a')
    expect(backup?.text).toMatch(/^ProtectSystem=strict\nReadWritePaths=\/srv\/a \/tmp$/m)
    expect(backup?.text).toContain('RestrictNamespaces=true')
    expect(units('/srv/a', [], true)[0]?.text).not.toContain('RestrictNamespaces')
  })

  it('stop after a create that failed', () =>
    expect(units('/srv/a')[0]?.text.match(/^(Type|ExecStart)=.*$/gm)).toEqual([
      'Type=oneshot',
      'ExecStart=/usr/bin/env /opt/pgbk.js create -C /srv/a',
      'ExecStart=/usr/bin/env /opt/pgbk.js prune -C /srv/a',
    ]))
})
