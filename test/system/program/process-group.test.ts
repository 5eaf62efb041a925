import { expect, it } from '@jest/globals'
import { execa } from 'execa'
import { hasOnlyEnded } from '../../../src/system/process/process-table.js'
import { groupIsGone, signalGroup } from '../../../src/system/program/process-group.js'

/** A process in a group of its own, which has ended, and after which nobody has looked; its parent waits for more input. */
const script = '$| = 1; my $pid = fork; unless ($pid) { setpgrp; exit } sleep 1; print "$pid\\n"; <STDIN>'

it('a group is gone when its processes have ended, though they are still in the table', async () => {
  const parent = execa('perl', ['-e', script], { stdin: 'pipe', detached: true })
  const group = await new Promise<number>((resolve) =>
    parent.stdout.once('data', (text) => resolve(Number(text))),
  )
  expect(signalGroup(group, 0)).toBe(true)
  expect(hasOnlyEnded(group)).toBe(true)
  expect(hasOnlyEnded(parent.pid ?? 0)).toBe(false)
  await groupIsGone(group)
  expect(signalGroup(group, 0)).toBe(true)
  parent.stdin.end()
  await parent
})
