import { expect, it } from 'vitest'
import { Lane } from '../src/engine/lane.ts'
import { Control } from '../src/protocol.ts'
import { Token } from '../src/token.ts'

const failing = (): Parameters<Lane['rejectOperation']>[0] => {
  const token = new Token<unknown>(() => {})
  return { what: 'SELECT 1', params: undefined, bytes: 0, token }
}

it('keeps the failures of a transaction until its end, and none of calls outside of one', () => {
  const root = new Lane(undefined, undefined)
  const transaction = root.open(Control.beginImmediate)
  for (const lane of [root, transaction]) {
    const operation = failing()
    lane.push(operation)
    lane.rejectOperation(operation, 'no')
  }
  expect(transaction.takeUnobservedError()).toEqual({ error: 'no' })
  expect(root.takeUnobservedError()).toBeUndefined()
})
