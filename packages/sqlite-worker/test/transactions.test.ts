import { describe, expect, it } from 'vitest'
import type { SqliteWorker } from '../src/index.ts'
import { gate, openWorker } from './fixture.ts'

async function withNames(): Promise<{ worker: SqliteWorker; names: () => Promise<unknown[]> }> {
  const worker = openWorker()
  await worker.execute('CREATE TABLE t (name TEXT UNIQUE)')
  const names = async (): Promise<unknown[]> =>
    (await worker.execute<{ name: string }>('SELECT name FROM t ORDER BY rowid')).map((row) => row.name)
  return { worker, names }
}

describe('transaction', () => {
  it('commits what its callback did and resolves to its result', async () => {
    const { worker, names } = await withNames()
    const result = await worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'a' })
      await tx.insert('t', { name: 'b' })
      return 42
    })
    expect(result).toBe(42)
    expect(await names()).toEqual(['a', 'b'])
  })

  it('undoes everything when its callback throws', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'a' })
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(await names()).toEqual([])
  })

  it('keeps an insert of another caller that was acknowledged while it rolled back', async () => {
    const { worker, names } = await withNames()
    const hold = gate()
    const failed = worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'inside' })
      await hold.opened
      throw new Error('rolled back')
    })
    const outside = worker.insert('t', { name: 'outside' })
    hold.open()
    await expect(failed).rejects.toThrow('rolled back')
    await outside
    expect(await names()).toEqual(['outside'])
  })

  it('does not undo earlier unrelated rows', async () => {
    const { worker, names } = await withNames()
    void worker.insert('t', { name: 'earlier' })
    await expect(worker.transaction(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await names()).toEqual(['earlier'])
  })

  it('takes calls on the worker inside its callback as its own, also after other awaits', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction(async () => {
      await worker.insert('t', { name: 'a' })
      await new Promise((resolve) => setImmediate(resolve))
      await worker.insert('t', { name: 'b' })
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(await names()).toEqual([])
  })

  it('rolls back when a statement that nobody awaited fails, and rejects with its error', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction(() => {
      for (const name of ['a', 'b', 'a', 'c']) void worker.insert('t', { name })
    })
    await expect(failed).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' })
    expect(await names()).toEqual([])
  })

  it('goes on after a failure that its callback handled', async () => {
    const { worker, names } = await withNames()
    await worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'a' })
      await tx.insert('t', { name: 'a' }).catch(() => {})
      await tx.insert('t', { name: 'b' })
    })
    expect(await names()).toEqual(['a', 'b'])
  })

  it('refuses the use of its tx, and of the worker in its context, after its end', async () => {
    const { worker } = await withNames()
    const ended = gate()
    let late: Promise<unknown> | undefined
    const tx = await worker.transaction((inner) => {
      late = ended.opened.then(() => worker.insert('t', { name: 'late' }))
      return inner
    })
    ended.open()
    await expect(late).rejects.toMatchObject({ code: 'ERR_TRANSACTION_ENDED' })
    await expect(tx.insert('t', { name: 'later' })).rejects.toMatchObject({ code: 'ERR_TRANSACTION_ENDED' })
  })

  it('runs transactions one after another, in order', async () => {
    const { worker, names } = await withNames()
    await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        worker.transaction(async (tx) => {
          const rows = await tx.select('t')
          await tx.insert('t', { name: `${name}${rows.length}` })
        }),
      ),
    )
    expect(await names()).toEqual(['a0', 'b1', 'c2'])
  })

  it('that issues no statement resolves to its result', async () => {
    const { worker } = await withNames()
    expect(await worker.transaction(() => 'nothing')).toBe('nothing')
  })

  it('rejects when COMMIT fails, and nothing of it stays', async () => {
    const worker = openWorker({ executeInit: ['PRAGMA foreign_keys = ON'] })
    await worker.execute('CREATE TABLE p (id INTEGER PRIMARY KEY)')
    await worker.execute('CREATE TABLE c (pid INT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)')
    await expect(worker.transaction((tx) => tx.insert('c', { pid: 1 }).then(() => {}))).rejects.toMatchObject(
      {
        sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY',
      },
    )
    await worker.insert('p', { id: 1 })
    expect(await worker.select('c')).toEqual([])
  })

  it('answers every later statement with the error that made SQLite roll it back', async () => {
    const { worker, names } = await withNames()
    await worker.insert('t', { name: 'a' })
    const failed = worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'b' })
      await tx.execute("INSERT OR ROLLBACK INTO t VALUES ('a')").catch(() => {})
      await tx.insert('t', { name: 'c' }).catch(() => {})
    })
    await expect(failed).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' })
    expect(await names()).toEqual(['a'])
  })

  it('is rolled back after its timeout, and those who waited go on', async () => {
    const { worker, names } = await withNames()
    const hold = gate()
    const stuck = worker.transaction(
      async (tx) => {
        await tx.insert('t', { name: 'stuck' })
        await hold.opened
        await tx.insert('t', { name: 'late' })
      },
      { timeoutMs: 20 },
    )
    const waiting = worker.insert('t', { name: 'waiting' })
    await expect(stuck).rejects.toMatchObject({ code: 'ERR_TRANSACTION_TIMEOUT' })
    await waiting
    hold.open()
    expect(await names()).toEqual(['waiting'])
  })

  it('names the cause when it waits for a call made outside of it', async () => {
    const { worker } = await withNames()
    const stuck = worker.transaction(
      (tx) => worker.outside(() => worker.insert('t', { name: 'a' }).then(() => tx)),
      {
        timeoutMs: 20,
      },
    )
    await expect(stuck).rejects.toThrow('wait for a call made outside of it')
  })

  it('refuses BEGIN and COMMIT as statements', async () => {
    const { worker } = await withNames()
    for (const sql of ['BEGIN', '/* x */ commit', '-- x\n ROLLBACK', 'SAVEPOINT s', 'RELEASE s', 'END']) {
      await expect(worker.execute(sql)).rejects.toMatchObject({ code: 'ERR_TRANSACTION_CONTROL' })
    }
    await expect(worker.transaction(() => worker.close())).rejects.toMatchObject({
      code: 'ERR_TRANSACTION_NESTED',
    })
  })
})

describe('nested transaction', () => {
  it('undoes only its own statements', async () => {
    const { worker, names } = await withNames()
    await worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'outer' })
      await tx
        .transaction(async (inner) => {
          await inner.insert('t', { name: 'inner' })
          throw new Error('no')
        })
        .catch(() => {})
      await tx.transaction((inner) => inner.insert('t', { name: 'kept' }).then(() => {}))
    })
    expect(await names()).toEqual(['outer', 'kept'])
  })

  it('as the first thing in a transaction belongs to it', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction(async () => {
      await worker.transaction(async (inner) => {
        await inner.insert('t', { name: 'inner' })
      })
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(await names()).toEqual([])
  })

  it('runs beside others of the same transaction one after another', async () => {
    const { worker, names } = await withNames()
    await worker.transaction(async (tx) => {
      const results = await Promise.allSettled(
        ['a', 'b', 'c'].map((name) =>
          tx.transaction(async (inner) => {
            await inner.insert('t', { name })
            if (name === 'b') throw new Error('no')
          }),
        ),
      )
      expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    })
    expect(await names()).toEqual(['a', 'c'])
  })

  it('refuses the outer tx inside its callback instead of waiting for itself', async () => {
    const { worker, names } = await withNames()
    await worker.transaction(async (tx) => {
      await tx.transaction(async (inner) => {
        await expect(tx.insert('t', { name: 'a' })).rejects.toMatchObject({ code: 'ERR_TRANSACTION_NESTED' })
        await inner.insert('t', { name: 'b' })
      })
    })
    expect(await names()).toEqual(['b'])
  })

  it('goes down with the outer one after its timeout', async () => {
    const { worker, names } = await withNames()
    const hold = gate()
    const stuck = worker.transaction(
      (tx) =>
        tx.transaction(async (inner) => {
          await inner.insert('t', { name: 'a' })
          await hold.opened
          await inner.insert('t', { name: 'b' })
        }),
      { timeoutMs: 20 },
    )
    await expect(stuck).rejects.toMatchObject({ code: 'ERR_TRANSACTION_TIMEOUT' })
    hold.open()
    expect(await names()).toEqual([])
  })
})

describe('whatever a callback leaves behind', () => {
  it('an empty nested transaction does not hold the writer', async () => {
    const { worker, names } = await withNames()
    await worker.transaction((tx) => tx.transaction(() => 'nothing to do'))
    await worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'a' })
      await tx.transaction((inner) => inner.transaction(() => {}))
      await tx.transaction(() => Promise.reject(new Error('before its first statement'))).catch(() => {})
    })
    await worker.insert('t', { name: 'b' })
    expect(await names()).toEqual(['a', 'b'])
  })

  it('a nested transaction that never ends is rolled back by the timeout of the outer one', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction(
      async (tx) => {
        tx.transaction(() => new Promise(() => {})).catch(() => {})
        await tx.select('t').catch(() => {})
        throw new Error('thrown while the nested one is open')
      },
      { timeoutMs: 50 },
    )
    await expect(failed).rejects.toMatchObject({ code: 'ERR_TRANSACTION_TIMEOUT' })
    await worker.insert('t', { name: 'a' })
    expect(await names()).toEqual(['a'])
  })

  it('statements that wait when it throws are settled and undone', async () => {
    const { worker, names } = await withNames()
    const started: PromiseLike<unknown>[] = []
    const failed = worker.transaction((tx) => {
      for (let i = 0; i < 2000; i++) started.push(tx.insert('t', { name: `n${i}` }))
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    await Promise.all(started)
    expect(await names()).toEqual([])
  })

  it('what follows from statements it did not await belongs to it all the same', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction((tx) => {
      void (async () => {
        await tx.insert('t', { name: 'a' })
        void tx.insert('t', { name: 'a' })
      })()
    })
    await expect(failed).rejects.toMatchObject({ sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE' })
    expect(await names()).toEqual([])
  })

  it('a value that cannot be stored rolls it back like any failure that nobody awaited', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction((tx) => {
      void tx.insert('t', { name: 'a' })
      void tx.insert('t', { name: undefined as never })
    })
    await expect(failed).rejects.toMatchObject({ code: 'ERR_VALUE' })
    expect(await names()).toEqual([])
  })
})

describe('a transaction', () => {
  it('cannot be ended by a statement that hides its COMMIT', async () => {
    const { worker, names } = await withNames()
    const failed = worker.transaction(async (tx) => {
      await tx.insert('t', { name: 'a' })
      await expect(tx.execute('; COMMIT')).rejects.toMatchObject({ code: 'ERR_TRANSACTION_CONTROL' })
      throw new Error('undo')
    })
    await expect(failed).rejects.toThrow('undo')
    expect(await names()).toEqual([])
  })

  it('is not charged with the time of what others sent before it', async () => {
    const { worker, names } = await withNames()
    const slow = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT COUNT(*) AS n FROM n`
    const before = worker.execute(slow)
    await worker.transaction((tx) => tx.insert('t', { name: 'a' }), { timeoutMs: 60 })
    await before
    expect(await names()).toEqual(['a'])
  })

  it('has no part in what the handler of unobserved errors does', async () => {
    const handled: PromiseLike<unknown>[] = []
    const worker = openWorker({ onUnobservedError: () => handled.push(worker.insert('log', { n: 1 })) })
    await worker.execute('CREATE TABLE log (n)')
    const late = gate()
    await worker.transaction(() => void late.opened.then(() => void worker.insert('log', { n: 2 })))
    late.open()
    await expect.poll(() => worker.select('log')).toEqual([{ n: 1 }])
    await Promise.all(handled)
  })

  it('that has ended does not keep its context from closing the worker', async () => {
    const { worker } = await withNames()
    const late = gate()
    let closed: Promise<void> | undefined
    await worker.transaction(() => {
      closed = late.opened.then(() => worker.close())
    })
    late.open()
    await closed
  })

  it('needs a function, and passes over the mode when it is nested', async () => {
    const { worker } = await withNames()
    await expect(worker.transaction('x' as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    const nested = worker.transaction(() => worker.transaction(() => 1, { mode: 'exclusive' }))
    expect(await nested).toBe(1)
  })
})
