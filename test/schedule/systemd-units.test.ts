import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { execaSync } from 'execa'
import { type SystemdUnit, systemdUnits, type UnitsRequest } from '../../src/schedule/systemd-units.js'
import { parseTimes } from '../../src/schedule/times.js'
import { thrownBy } from '../catalog/samples.js'
import { seed } from '../helpers/chance.js'
import { needs } from '../helpers/needs.js'
import { oddLines } from '../helpers/odd-texts.js'
import { aDirectory } from '../helpers/places.js'

const { describe, it } = needs('program systemd-analyze')

const request = (root: string, args: string[] = [], needsNamespaces = false): UnitsRequest => ({
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

const units = (root: string, args: string[] = [], needsNamespaces = false): SystemdUnit[] =>
  systemdUnits(request(root, args, needsNamespaces))

function verify(made: SystemdUnit[]) {
  const directory = aDirectory()
  const files = made.map(({ name, text }) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  })
  const { exitCode, stderr } = execaSync('systemd-analyze', ['verify', ...files], { reject: false })
  return { exitCode, own: stderr.split('\n').filter((line) => line.includes(directory)), said: stderr }
}

describe('units for systemd', () => {
  it.each(['/srv/backups', '/srv/with space', '/srv/50% "off" $HOME\\x', "/srv/o'clock"])(
    'for %s are found right by systemd-analyze',
    (root) => {
      const made = units(root, ['-d', `host=db1 application_name='100% $HOME'`])
      expect(verify(made)).toMatchObject({ exitCode: 0, own: [] })
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

  it(`of any root and any arguments are found right (seed ${seed})`, () => {
    const texts = oddLines('units', 20)
    const made = texts.flatMap((text) => units(`/srv/${text}`, ['-d', text]))
    expect(
      verify(
        made.map((unit, index) => ({
          ...unit,
          name: `n${index}-${unit.name}`.slice(0, 60).concat(unit.name.slice(unit.name.lastIndexOf('.'))),
        })),
      ),
    ).toMatchObject({ exitCode: 0, own: [] })
  })

  it(`call what they were made to call (seed ${seed})`, () => {
    const wanted = oddLines('programs', 20)
      // systemd takes no program with such a character (string_is_safe in string-util.c).
      .filter((text) => !/["'\\]/.test(text))
      .map((text) => `/nowhere/${text.replaceAll('/', '')}x`)
    const made = wanted.flatMap((program, index) =>
      systemdUnits({
        ...request('/srv/a'),
        surroundings: { ...request('/srv/a').surroundings, self: [program, '/x'] },
      })
        .filter(({ name }) => name.endsWith('receive.service'))
        .map((unit) => ({ ...unit, name: `p${index}.service` })),
    )
    const called = [...verify(made).said.matchAll(/Command ([^\n]*) is not executable/g)].map(
      ([, program]) => program,
    )
    expect(called.sort()).toEqual(wanted.sort())
  })

  it('have no control character', async () => {
    for (const root of ['/srv/a\nExecStartPre=/bin/id', '/srv/a\u0085'])
      expect(await thrownBy(() => units(root))).toMatchObject({ code: 'usage' })
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
    const [proving = { text: '' }] = units('/srv/a', [], true)
    expect(proving.text).not.toMatch(/RestrictNamespaces|PrivateDevices/)
    expect(proving.text).toContain('DeviceAllow=/dev/fuse rw')
  })

  it('stop after a create that failed', () =>
    expect(units('/srv/a')[0]?.text.match(/^(Type|ExecStart)=.*$/gm)).toEqual([
      'Type=oneshot',
      'ExecStart=/usr/bin/env /opt/pgbk.js create -C /srv/a',
      'ExecStart=/usr/bin/env /opt/pgbk.js prune -C /srv/a',
    ]))
})
