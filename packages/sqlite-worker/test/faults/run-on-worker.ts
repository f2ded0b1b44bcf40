import { setImmediate as turn } from 'node:timers/promises'
import type { SqliteWorker, Transaction, TransactionCallback } from '../../src/index.ts'
import type { Program, Step, TransactionStep } from './program.ts'

/** What came of a step; of a transaction also what came of each of its steps. */
export interface Outcome {
  readonly result: unknown
  readonly steps?: readonly Outcome[]
}

/** One step outside of transactions, in the order of the calls. */
export interface Entry {
  readonly step: Step
  outcome: Outcome | undefined
  /** How many entries there were when it had its outcome. */
  settledAt: number
}

/** Rows, what a write did, or the code of an error; what SQLite itself does not promise is left out. */
export async function resultOf(outcome: PromiseLike<unknown>, sql = ''): Promise<unknown> {
  try {
    return normalize(await outcome, sql)
  } catch (error) {
    if (error === thrown) return 'thrown'
    const { sqliteCode, code } = error as { sqliteCode?: string; code?: string }
    if (sqliteCode === undefined && code === undefined) throw error
    return sqliteCode ?? code
  }
}

/** What the callback of a transaction throws that is to be undone. */
export const thrown: Error = new Error('thrown')

export function normalize(result: unknown, sql: string): unknown {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return result
  if ('rows' in result) return result.rows
  // the rowid of an upsert that updated means nothing
  return sql.includes('ON CONFLICT') && 'changes' in result ? { changes: result.changes } : result
}

/** Runs the clients of a program at the same time, and notes what they called in which order. */
export async function runOnWorker(worker: SqliteWorker, program: Program): Promise<Entry[]> {
  const log: Entry[] = []
  const underWay: Promise<void>[] = []
  /** Calls now; resolves when there is an outcome. */
  const call = (step: Step, start: () => Promise<Outcome>): Promise<void> => {
    const entry: Entry = { step, outcome: undefined, settledAt: 0 }
    log.push(entry)
    const done = start().then((outcome) => {
      entry.outcome = outcome
      entry.settledAt = log.length
    })
    underWay.push(done)
    return done
  }
  const outside = (step: Step): void => {
    void worker.outside(() => call(step, async () => ({ result: await start(worker, step) })))
  }
  const clients = program.map(async (steps) => {
    for (const step of steps) {
      if (step.kind === 'pause') await pause(step.turns)
      else if (step.kind === 'transaction')
        await call(step, () =>
          transact({ worker, outside }, step, (callback) =>
            worker.transaction(callback, { mode: step.mode }),
          ),
        )
      else {
        const done = call(step, async () => ({ result: await start(worker, step) }))
        if (!('isAwaited' in step) || step.isAwaited) await done
      }
    }
  })
  await Promise.all(clients)
  await Promise.all(underWay)
  return log
}

async function pause(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await turn()
}

/** Calls something that is no transaction. Synchronous up to the call. */
function start(on: SqliteWorker | Transaction, step: Step): Promise<unknown> {
  switch (step.kind) {
    case 'run':
    case 'outside':
      return resultOf(on.execute(step.statement.sql, step.statement.params), step.statement.sql)
    case 'read': {
      const { statement, consistency } = step
      return resultOf(on.execute(statement.sql, statement.params, { consistency }))
    }
    case 'rows':
      return resultOf(on.insert('t', step.rows))
    case 'batch':
      return resultOf(
        on
          .batch(step.statements.map(({ sql, params }) => ({ sql, params })))
          .then((results) => results.map((result, i) => normalize(result, step.statements[i]?.sql ?? ''))),
      )
    case 'script':
      return resultOf(on.executeScript(step.sql))
    case 'stream':
      return resultOf(collect(on.stream(step.statement.sql, step.statement.params)))
    default:
      throw new Error(`${step.kind} is no single call`)
  }
}

async function collect(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const collected: unknown[] = []
  for await (const row of rows) collected.push(row)
  return collected
}

interface Surroundings {
  readonly worker: SqliteWorker
  outside(step: Step): void
}

async function transact(
  around: Surroundings,
  step: TransactionStep,
  open: (callback: TransactionCallback<void>) => Promise<void>,
): Promise<Outcome> {
  const outcomes: Promise<Outcome>[] = []
  let end = (): void => {}
  const ended = new Promise<void>((resolve) => (end = resolve))
  const done = open(async (tx) => {
    const on = step.usesWorker ? around.worker : tx
    for (const inner of step.steps) {
      if (inner.kind === 'pause') await pause(inner.turns)
      else if (inner.kind === 'outside') around.outside(inner)
      else if (inner.kind === 'transaction') {
        outcomes.push(Promise.resolve(await transact(around, inner, (callback) => on.transaction(callback))))
      } else if (inner.kind === 'run' && !inner.isAwaited) {
        // looked at when the transaction has ended: an error that was looked at before would not undo it
        const token = on.execute(inner.statement.sql, inner.statement.params)
        outcomes.push(ended.then(async () => ({ result: await resultOf(token, inner.statement.sql) })))
      } else outcomes.push(Promise.resolve({ result: await start(on, inner) }))
    }
    if (step.throws) throw thrown
  })
  const result = await resultOf(done.then(() => 'committed'))
  end()
  return { result, steps: await Promise.all(outcomes) }
}
