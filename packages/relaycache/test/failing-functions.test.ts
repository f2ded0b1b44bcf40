import { eventually } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { cache, invalidate, type CacheBackend } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { latch } from './latch.ts'

const CALLERS = 1000

const removals: [string, (backend: CacheBackend, key: string) => Promise<unknown>][] = [
  ['its tag is invalidated', (backend) => invalidate({ tags: ['books'], backend })],
  ['its key is deleted', (backend, key) => backend.delete(key)],
  ['the cache is cleared', (backend) => backend.clear()],
]

describeEachBackend('a function that throws', (create) => {
  it('gives its error to a thousand callers who waited, after one run, and none to those who come later', async () => {
    const backend = create()
    const go = latch()
    const error = new Error('no book')
    let runs = 0
    const getBook = cache({ ttl: 60, backend }, async function getBook() {
      runs += 1
      if (runs > 1) return `Dune of run ${runs}`
      await go.opened
      throw error
    })
    const calls = Array.from({ length: CALLERS }, () => getBook())
    const settled = Promise.allSettled(calls)
    await eventually(() => backend.counters.coalesced === CALLERS - 1)
    go.open()
    expect(
      new Set((await settled).map((outcome) => outcome.status === 'rejected' && outcome.reason)),
    ).toEqual(new Set([error]))
    expect(runs).toBe(1)
    const later = await Promise.all(Array.from({ length: CALLERS }, () => getBook()))
    expect(new Set(later)).toEqual(new Set(['Dune of run 2']))
    expect(runs).toBe(2)
  })
})

describeEachBackend('a function that never settles', (create) => {
  /** Its first run never ends; later ones give their number. */
  function open() {
    const backend = create()
    const state = { runs: 0 }
    const getBook = cache({ ttl: 60, backend, tags: ['books'] }, async function getBook() {
      state.runs += 1
      if (state.runs === 1) await new Promise(() => undefined)
      return state.runs
    })
    return { backend, state, getBook }
  }

  it('lets go of callers with a signal', async () => {
    const { state, getBook } = open()
    const controller = new AbortController()
    const { signal } = controller
    const calls = [getBook.with({ signal })(), getBook.with({ signal })()]
    const settled = Promise.allSettled(calls)
    await eventually(() => state.runs === 1)
    controller.abort(new Error('too late'))
    expect(await settled).toEqual(calls.map(() => ({ status: 'rejected', reason: new Error('too late') })))
    const joined = getBook.with({ signal: AbortSignal.timeout(20) })()
    await expect(joined).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(state.runs).toBe(1)
  })

  it.each(removals)('keeps nobody waiting who comes after %s', async (_, remove) => {
    const { backend, state, getBook } = open()
    void getBook()
    await eventually(() => state.runs === 1)
    await remove(backend, getBook.keyOf())
    expect(await getBook.lookup()).toEqual({ value: 2, status: 'miss' })
    expect(await getBook.lookup()).toEqual({ value: 2, status: 'hit' })
  })

  it('keeps nobody waiting who comes after a refresh', async () => {
    const { state, getBook } = open()
    void getBook()
    await eventually(() => state.runs === 1)
    expect(await getBook.refresh()).toBe(2)
    expect(await getBook.lookup()).toEqual({ value: 2, status: 'hit' })
  })
})
