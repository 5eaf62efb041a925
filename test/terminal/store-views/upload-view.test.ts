import { stripVTControlCharacters } from 'node:util'
import { expect, it } from '@jest/globals'
import { PgbkError } from '../../../src/errors.js'
import { createStyle } from '../../../src/terminal/screen.js'
import { uploadText } from '../../../src/terminal/store-views/upload-view.js'
import type { Upload } from '../../../src/upload/upload-one.js'
import { aScreen, theBackup } from '../screens.js'

const sent: Upload = {
  backup: theBackup(),
  store: 'offsite',
  configured: 'offsite',
  location: '/far',
  recipients: ['age1alice'],
  wasThere: false,
  sentBytes: 1000,
  sentWalFiles: 1,
  durationMs: 1000,
}
const failed: Upload = {
  ...sent,
  error: new PgbkError('failed', 'it says \u001b[31mno', { hint: 'try\nagain' }),
}

it('uploads have their colours in a terminal, and what a store says has none', () => {
  const plain = uploadText([sent, failed], aScreen())
  expect(plain).toContain(`${sent.backup.id} to offsite: it says ?[31mno\n  try\n  again\n`)
  const coloured = uploadText([sent, failed], aScreen({ style: createStyle(true) }))
  expect(coloured).not.toBe(plain)
  expect(stripVTControlCharacters(coloured)).toBe(plain)
})
