import { expect } from 'vitest'
import type { Model } from './model.ts'
import { hasStatement, type Step } from './program.ts'
import type { Entry } from './run-on-worker.ts'

/** Runs what was called in the order of the calls, and compares. */
export function expectSame(model: Model, log: readonly Entry[], hasReaders: boolean): void {
  const reads = log.map((_, index) => asFreeRead(log, index, hasReaders))
  for (const [index, { step, outcome }] of log.entries()) {
    look(index)
    const expected = model.run(step)
    if (!reads[index]) expect({ index, step, outcome }).toEqual({ index, step, outcome: expected })
  }
  look(log.length)
  for (const read of reads) if (read) expect(read.states, read.sql).toContainEqual(read.actual)

  function look(position: number): void {
    for (const read of reads)
      if (read && read.from <= position && position <= read.to) read.states.push(model.query(read.sql))
  }
}

/** A read that may see any state from the one it must see on, up to that when it had its answer. */
interface FreeRead {
  readonly sql: string
  readonly from: number
  readonly to: number
  readonly actual: unknown
  readonly states: unknown[]
}

/** A step as such a read, if it is one. */
function asFreeRead(log: readonly Entry[], index: number, hasReaders: boolean): FreeRead | undefined {
  const { step, outcome, settledAt } = log[index] as Entry
  if (step.kind !== 'read' && step.kind !== 'stream' && step.kind !== 'run') return undefined
  const { sql } = step.statement
  const consistency = step.kind === 'read' ? step.consistency : 'causal'
  if (!isRead(step) || consistency === 'writer') return undefined
  if (!hasReaders && step.kind !== 'stream') return undefined // a stream has a connection of its own all the same
  // writes acknowledged before the call; and with `causal` those called before, other than open transactions
  const mustSee = log.slice(0, index).findLastIndex((entry) => {
    if (isRead(entry.step) || !hasStatement(entry.step)) return false
    return entry.settledAt <= index || (consistency === 'causal' && entry.step.kind !== 'transaction')
  })
  return { sql, from: mustSee + 1, to: settledAt, actual: outcome?.result, states: [] }
}

function isRead(step: Step): boolean {
  return 'statement' in step && /^(SELECT|WITH)/.test(step.statement.sql)
}
