import { PassThrough } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { openReporter } from '../../src/terminal/reporter.js'
import { createStyle } from '../../src/terminal/screen.js'
import { commandsOfTerminals, hasCommands } from './screens.js'

async function aReporter(changes = {}) {
  const stream = new PassThrough()
  let written = ''
  stream.on('data', (chunk) => {
    written += chunk
  })
  const options = { quiet: false, verbose: false, animated: false, style: createStyle(false), ...changes }
  const reporter = await openReporter(stream as unknown as NodeJS.WriteStream, options)
  return { ...reporter, lines: () => written.split('\n').slice(0, -1) }
}

describe('progress in plain lines', () => {
  it('has one line for each step and message', async () => {
    const { progress, lines } = await aReporter()
    progress.step('copying')
    progress.say('PostgreSQL 15.18 at db1')
    progress.warn('the root is on the same disk')
    progress.step('verifying')
    expect(lines()).toEqual([
      'copying',
      'PostgreSQL 15.18 at db1',
      'warning: the root is on the same disk',
      'verifying',
    ])
  })

  it('says a step that goes on only once', async () => {
    const { progress, lines } = await aReporter()
    for (let done = 0; done < 1000; done++) {
      progress.step('copying')
      progress.bytes(done, 1000)
    }
    expect(lines()).toEqual(['copying'])
  })

  it('has details only when verbose', async () => {
    const silent = await aReporter()
    const verbose = await aReporter({ verbose: true })
    for (const { progress } of [silent, verbose]) progress.detail('pg_basebackup --pgdata=x')
    expect([silent.lines(), verbose.lines()]).toEqual([[], ['pg_basebackup --pgdata=x']])
  })

  it('lets no message command the terminal', async () => {
    const { progress, lines } = await aReporter({ verbose: true })
    for (const tell of [progress.say, progress.warn, progress.detail]) tell(commandsOfTerminals)
    expect(lines()).toHaveLength(3)
    expect(hasCommands(lines().join('\n'))).toBe(false)
  })
})

describe('quiet progress', () => {
  it('is silent', async () => {
    const { progress, close, lines } = await aReporter({ quiet: true, verbose: true, animated: true })
    for (const tell of [progress.step, progress.say, progress.warn, progress.detail]) tell('x')
    progress.bytes(1, 2)
    close()
    expect(lines()).toEqual([])
  })
})
