import { expect, it } from 'vitest'
import { Outcome } from '../src/protocol.ts'
import { Outcomes } from '../src/worker/outcomes.ts'

const failure = (message: string) => ({ kind: 'sqlite', message, sqliteCode: undefined }) as const

it('outcomes of operations that were undone and did not run again before a reply stay out of it', () => {
  const outcomes = new Outcomes(4)
  outcomes.failure(0, failure('first'))
  outcomes.write(1, 1, 7)
  outcomes.failure(3, failure('undone'))
  outcomes.undo(1)
  outcomes.write(1, 1, 8)
  const reply = outcomes.reply(2, false)
  expect(reply.others).toEqual([0, Outcome.failure, failure('first')])
  expect([...reply.writes].slice(2)).toEqual([1, 8])
  outcomes.write(2, 1, 9)
  outcomes.failure(3, failure('last'))
  expect(outcomes.reply(4, true)).toMatchObject({ count: 2, others: [3, Outcome.failure, failure('last')] })
})
