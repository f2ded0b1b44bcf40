import { describe, expect, it } from 'vitest'
import { InMemoryCache, type CacheBackend, type OnError } from '../src/index.ts'
import { backendContract } from '../src/testing/index.ts'

/** The cases that a backend does not pass. */
async function failuresOf(create: (options: { onError?: OnError }) => CacheBackend): Promise<string[]> {
  const cases = backendContract(create)
  const failed = await Promise.all(
    cases
      // It replaces process.emitWarning, which only one test can do at a time.
      .filter(({ name }) => !name.includes('onError throws'))
      .map(async ({ name, run }) => {
        try {
          await run()
          return []
        } catch {
          return [name]
        }
      }),
  )
  return failed.flat()
}

describe('backendContract', () => {
  it('has names that say what a backend does, each once', () => {
    const names = backendContract(() => new InMemoryCache()).map(({ name }) => name)
    expect(names.length).toBeGreaterThan(40)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toContain('as a store, it forgets what has at least one of the invalidated tags')
  })

  it('passes a backend that is made later', async () => {
    const cases = backendContract(async ({ onError }) => new InMemoryCache({ onError }))
    for (const { run } of cases) await run()
  })

  it('fails a backend that does not forget tags', async () => {
    class Forgetful extends InMemoryCache {
      override async invalidateTags(): Promise<void> {}
    }
    const failed = await failuresOf((options) => new Forgetful(options))
    expect(failed).toContain('as a store, it forgets what has at least one of the invalidated tags')
    expect(failed).toContain(
      'when something is invalidated while a function runs, the older value is never served when its tag is invalidated',
    )
  })

  it('fails a backend that stores what was invalidated meanwhile', async () => {
    class Late extends InMemoryCache {
      override store(...args: Parameters<InMemoryCache['store']>): ReturnType<InMemoryCache['store']> {
        const [early, value, ttlMs] = args
        const shared = super.store(...args)
        if (!early) return shared
        const capture = this.renew(early.key, () => ['t'])
        super.store(capture, value, ttlMs)
        this.release(capture)
        return shared
      }
    }
    const failed = await failuresOf((options) => new Late(options))
    expect(failed).toEqual(
      expect.arrayContaining(
        ['its tag is invalidated', 'its key is deleted', 'the cache is cleared'].map(
          (removal) =>
            `when something is invalidated while a function runs, the older value is never served when ${removal}`,
        ),
      ),
    )
  })

  it('fails a backend that lets callers join by the key alone', async () => {
    class ByKey extends InMemoryCache {
      override read(...args: Parameters<InMemoryCache['read']>): ReturnType<InMemoryCache['read']> {
        const found = super.read(...args)
        if (!found.hit && found.capture) Object.assign(found.capture, { flight: args[0] })
        return found
      }
    }
    const failed = await failuresOf((options) => new ByKey(options))
    expect(failed).toContain(
      'when something is invalidated while a function runs, no later caller joins when its tag is invalidated',
    )
  })

  it('fails a backend that shares its values with its callers', async () => {
    const failed = await failuresOf((options) => new InMemoryCache({ ...options, isolation: 'shared' }))
    expect(failed).toContain('as a store of values, it does not let one caller change what another gets')
  })
})
