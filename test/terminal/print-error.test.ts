import { describe, expect, it } from '@jest/globals'
import { PgbkError } from '../../src/errors.js'
import { errorJson, errorText, withoutPasswords } from '../../src/terminal/print-error.js'
import { createStyle } from '../../src/terminal/screen.js'
import { commandsOfTerminals, hasCommands } from './screens.js'

const plain = { style: createStyle(false), width: undefined, verbose: false }

describe('an error for people', () => {
  it('says what failed, and below it what to do', () => {
    const error = new PgbkError('locked', 'another pgbk is at work', {
      hint: 'Wait for it.\nThen try again.',
    })
    expect(errorText(error, plain)).toBe('pgbk: another pgbk is at work\nWait for it.\nThen try again.\n')
  })

  it('says nothing more without a hint', () => {
    expect(errorText(new PgbkError('failed', 'it failed'), plain)).toBe('pgbk: it failed\n')
  })

  it('tells its cause only when verbose', () => {
    const error = new PgbkError('failed', 'it failed', { cause: new RangeError('out of range') })
    expect(errorText(error, plain)).not.toContain('out of range')
    expect(errorText(error, { ...plain, verbose: true })).toContain('RangeError: out of range')
  })

  it('keeps the lines of a message from the server, and nothing that commands the terminal', () => {
    const error = new PgbkError('refused', `one${commandsOfTerminals}\ntwo`, { hint: commandsOfTerminals })
    const text = errorText(error, plain)
    expect(hasCommands(text)).toBe(false)
    expect(text.split('\n')).toHaveLength(4)
  })

  it('has no line that a value in it could forge', () => {
    const error = new PgbkError('failed', 'there is no server at db1\npgbk: all is well')
    expect(errorText(error, plain)).toBe('pgbk: there is no server at db1\n  pgbk: all is well\n')
  })

  it('fits a terminal', () => {
    const words = 'word '.repeat(40).trim()
    const text = errorText(new PgbkError('failed', words, { hint: words }), { ...plain, width: 60 })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60)
    expect(text.replace(/\s+/g, ' ').trim()).toBe(`pgbk: ${words} ${words}`)
  })

  it('is red only at its beginning', () => {
    const text = errorText(new PgbkError('failed', 'it failed'), { ...plain, style: createStyle(true) })
    expect(text).toBe('\u001b[31mpgbk:\u001b[39m it failed\n')
  })
})

describe('an error for programs', () => {
  it('is a document with code, message and hint', () => {
    const error = new PgbkError('not-found', 'there is no backup', { hint: 'See pgbk list.' })
    expect(JSON.parse(errorJson(error))).toEqual({
      error: { code: 'not-found', message: 'there is no backup', hint: 'See pgbk list.' },
    })
  })

  it('has null for a hint that is not there', () => {
    expect(JSON.parse(errorJson(new PgbkError('failed', 'x'))).error).toHaveProperty('hint', null)
  })
})

describe('a password in a text', () => {
  it.each([
    ['postgres://me:secret@db1/app', 'postgres://me:***@db1/app'],
    ['a (postgres://me:s@cr:et@db1) and s3://key:word@b', 'a (postgres://me:***@db1) and s3://key:***@b'],
    ['https://db1:5432/x and me@db1', 'https://db1:5432/x and me@db1'],
    ['postgres://:@db1', 'postgres://:***@db1'],
    ["password = 'a b' user=me", 'password = *** user=me'],
  ])('is hidden in %s', (text, shown) => expect(withoutPasswords(text)).toBe(shown))

  it.each([
    ['://a:'.repeat(30_000)],
    [`${'://a:'.repeat(30_000)}@`],
    [`${'://a'.repeat(30_000)}@`],
    ['a@'.repeat(60_000)],
    ['password '.repeat(13_000)],
    ['x'.repeat(120_000)],
    ['_secret'.repeat(17_000)],
  ])('is looked for in a hostile text in less than a second: %#', (text) => {
    const startedAt = process.cpuUsage()
    withoutPasswords(text)
    expect(process.cpuUsage(startedAt).user).toBeLessThan(1_000_000)
  })
})

it('shows so much of a text of others as fits a screen or ten, and hides what is cut in two', () => {
  expect(errorText(new PgbkError('failed', 'x'.repeat(1_000_000)), plain).length).toBeLessThan(110_000)
  const cut = `${'x '.repeat(49_990)}postgresql://u:geheim-und-lang@host`
  expect(errorText(new PgbkError('failed', cut), plain)).not.toContain('geh')
})
