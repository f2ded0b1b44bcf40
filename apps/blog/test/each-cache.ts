import { describeWith, startRedis } from '@outrider/test-kit'
import { afterAll, beforeAll, describe } from 'vitest'
import { startSite, type TestSite } from './fixture.ts'

export const ADMIN_TOKEN = 'a-token-for-the-staff-of-this-test'

/** Two processes of a site, as far as one process can have them, on a cache of their own. */
export interface CachedSite extends TestSite {
  readonly other: TestSite['app']
}

/** Runs the same tests over a site with its cache in memory, and with REDIS_URL. */
export function describeEachCache(name: string, tests: (site: () => CachedSite) => void): void {
  const run = (startCache: () => Promise<{ redisUrl: string | undefined; stop(): Promise<void> }>): void => {
    let site: CachedSite
    let stopCache: () => Promise<void>
    beforeAll(async () => {
      const cache = await startCache()
      stopCache = () => cache.stop()
      const test = await startSite({ redisUrl: cache.redisUrl, adminToken: ADMIN_TOKEN })
      site = { ...test, other: (await test.again()).app }
    })
    afterAll(async () => {
      await site.stop()
      await stopCache()
    })
    tests(() => site)
  }
  describeWith('postgres', name, () => {
    describe('in memory', () => run(async () => ({ redisUrl: undefined, stop: async () => {} })))
    describeWith('redis', 'in Redis', () =>
      run(async () => {
        const redis = await startRedis({ args: [] })
        return { redisUrl: redis.url, stop: () => redis.stop() }
      }),
    )
  })
}
