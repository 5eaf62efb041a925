import { readdirSync, symlinkSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { createInstanceDirectory, defaultName } from '../../../src/restore/instance/instance-directory.js'
import { anEmptyRoot, thrownBy } from '../../catalog/samples.js'
import { anInstance } from './samples.js'

describe('a restore of an instance', () => {
  it('is locked while another restores under that name', async () => {
    const { root } = anEmptyRoot()
    await createInstanceDirectory(root, 'staging')
    const error = await thrownBy(() => createInstanceDirectory(root, 'staging'))
    expect(error).toMatchObject({ code: 'locked', message: 'another pgbk is restoring staging' })
  })

  it('does not take what is in the place of data/instances for another restore', async () => {
    const root = anEmptyRoot()
    symlinkSync('/not/there', root.instances)
    const error = await thrownBy(() => createInstanceDirectory(root.root, 'staging'))
    expect(error).toMatchObject({ code: 'root-not-writable' })
  })

  it('is refused before it copies anything when another has ended since the name was checked', async () => {
    const root = anEmptyRoot()
    anInstance(root, 'staging')
    const error = await thrownBy(() => createInstanceDirectory(root.root, 'staging'))
    expect(error).toMatchObject({ code: 'locked', message: 'another pgbk has just restored staging' })
    expect(readdirSync(root.instances)).toEqual(['staging'])
  })

  it('takes the next second where another has begun', async () => {
    const { root } = anEmptyRoot()
    const name = () => defaultName(root, new Date('2026-11-20T03:00:00Z'))
    await createInstanceDirectory(root, name())
    expect(name()).toBe('postgres-restore-20261120T030001Z')
  })
})
