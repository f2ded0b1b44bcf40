import { expect, it } from 'vitest'
import { cache, invalidate, type CacheBackend } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { Random } from './random.ts'

const ROUNDS = 1500
const RECORDS = 4

/** A few records that change, each change followed by an invalidation, under readers that accept stale values. */
async function run(backend: CacheBackend, random: Random): Promise<{ stale: number; served: number }> {
  const versions = Array.from({ length: RECORDS }, () => 1)
  /** The version of each record that no reader may fall behind any more. */
  const confirmed = [...versions]
  const pause = async (): Promise<void> => {
    for (let turns = random.below(4); turns > 0; turns -= 1) await new Promise(setImmediate)
  }
  const options = {
    ttl: '2ms',
    grace: '1h',
    staleWhileRevalidate: true,
    softTimeout: '1ms',
    earlyRefresh: true,
    errorTtl: '2ms',
    backend,
  } as const
  const load = async (id: number): Promise<{ id: number; version: number }> => {
    await pause()
    const version = versions[id] ?? 0
    await pause()
    if (random.below(8) === 0) throw new Error('down')
    return { id, version }
  }
  const readers = [
    cache({ ...options, key: 'by-arguments', tags: (id: number) => [`record:${id}`] }, load),
    cache({ ...options, key: 'by-result', resultTags: ({ id }) => [`record:${id}`] }, load),
    cache({ ...options, key: 'patient', staleWhileRevalidate: false, tags: (id) => [`record:${id}`] }, load),
  ]
  const found = { stale: 0, served: 0 }
  const read = async (): Promise<void> => {
    const id = random.below(RECORDS)
    const oldest = confirmed[id] ?? 0
    const reader = readers[random.below(readers.length)] ?? expect.fail()
    const outcome = await reader.lookup(id).catch(() => undefined)
    if (!outcome) return
    if (outcome.value.version < oldest) found.stale += 1
    if (outcome.status === 'stale') found.served += 1
  }
  const write = async (): Promise<void> => {
    const id = random.below(RECORDS)
    const version = (versions[id] ?? 0) + 1
    versions[id] = version
    const tags = [`record:${id}`]
    if (random.below(3) === 0) await invalidate({ tags, backend, soft: true })
    await invalidate({ tags, backend })
    confirmed[id] = Math.max(confirmed[id] ?? 0, version)
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const steps = Array.from({ length: 1 + random.below(6) }, async () => {
      await pause()
      await (random.below(10) === 0 ? write() : read())
    })
    await Promise.all(steps)
  }
  return found
}

describeEachBackend('Stale values and tags from results', (create) => {
  it('are never served after an invalidation, whatever runs and fails at the same time', async () => {
    const random = new Random()
    const found = await run(create(), random)
    expect({ seed: random.seed, stale: found.stale }).toEqual({ seed: random.seed, stale: 0 })
    expect(found.served).toBeGreaterThan(0)
  })
})
