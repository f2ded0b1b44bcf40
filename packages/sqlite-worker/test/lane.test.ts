import { expect, it } from 'vitest'
import { Lane } from '../src/engine/lane.ts'
import { Control } from '../src/protocol.ts'
import { fail, Token } from '../src/token.ts'

it('keeps the failures of a transaction until its end, and none of calls outside of one', () => {
  const root = new Lane({ fulfilled: () => {}, failed: () => {} })
  const transaction = root.open(Control.beginImmediate)
  for (const lane of [root, transaction]) {
    const token = new Token<unknown>(() => {})
    fail(token, 'no')
    lane.note(token)
  }
  expect(transaction.takeUnobservedError()).toEqual({ error: 'no' })
  expect(root.takeUnobservedError()).toBeUndefined()
})
