import { expect, it } from '@jest/globals'
import { wholeAnswer } from '../../../src/place/ssh/whole-answer.js'

async function* answer(pieces: number, piece = Buffer.alloc(1 << 20)): AsyncGenerator<Buffer> {
  for (let n = 0; n < pieces; n++) yield piece
}

it('is all that has come', async () => {
  expect((await wholeAnswer(answer(3, Buffer.from('ab')))).toString()).toBe('ababab')
})

it('has as many bytes as such an answer can have', async () => {
  await expect(wholeAnswer(answer(3), 2 << 20)).rejects.toMatchObject({
    code: 'damaged',
    message: 'the other host answers with more than 2.0 MB',
  })
})

it('is refused where it does not end', async () => {
  await expect(wholeAnswer(answer(Number.POSITIVE_INFINITY))).rejects.toMatchObject({
    code: 'damaged',
    message: 'the other host answers with more than 500 MB',
  })
})
