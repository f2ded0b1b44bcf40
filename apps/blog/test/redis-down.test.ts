import { describeWith, eventually, startRedis, type TestRedis } from '@outrider/test-kit'
import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest'
import { openCache } from '../src/cache.ts'
import { books } from '../src/models/index.ts'
import { ADMIN_TOKEN } from './each-cache.ts'
import { manage, startSite, view, type TestSite } from './fixture.ts'

const pages = [
  '/',
  '/books/',
  '/books/?page=2&genre=mystery',
  '/books/genre/mystery/',
  '/books/1',
  '/books/stats',
  '/search?q=map',
  '/api/books/search?q=map',
  '/posts/a-tour-in-two-minutes',
]

describeWith(['postgres', 'redis'], 'a site whose Redis goes', () => {
  let redis: TestRedis
  let test: TestSite
  beforeEach(async () => {
    redis = await startRedis({ args: [] })
    test = await startSite({ redisUrl: redis.url, adminToken: ADMIN_TOKEN })
  })
  afterEach(async () => {
    await test.stop()
    await redis.stop()
  })

  const rename = (title: string): Promise<void> =>
    test.site.transaction('ada', async (tx, touch) => {
      await tx.update(books).set({ title }).where(eq(books.id, 1))
      touch({ table: books, column: books.id, values: [1] })
    })
  const expectAllPages = async (): Promise<void> => {
    for (const url of pages) expect({ url, ...(await view(test.app, url)) }).toMatchObject({ url, code: 200 })
  }

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'shows every page, says so, and shows what changes meanwhile, then and afterwards: %s',
    { timeout: 60_000 },
    async (signal) => {
      await expectAllPages()
      await eventually(async () => expect(await view(test.app, '/books/1')).toMatchObject({ status: 'HIT' }))
      await redis.kill(signal)
      await expectAllPages()
      await expectAllPages()
      expect((await view(test.app, '/books/1')).body).toContain('Redis, which does not answer now')
      await rename('Renamed without Redis')
      expect((await view(test.app, '/books/1')).body).toContain('Renamed without Redis')
      const refused = await test.app.inject({
        method: 'POST',
        url: '/admin/clear-cache/',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        payload: { cache_type: 'all' },
      })
      expect(refused.statusCode).toBe(503)
      expect(refused.json()).toEqual({ status: 'error', message: 'The cache did not confirm' })

      await (signal === 'SIGSTOP' ? redis.kill('SIGCONT') : redis.restart())
      await eventually(
        async () => {
          const { status, body } = await view(test.app, '/books/1')
          expect(body).toContain('Renamed without Redis')
          expect(status).toBe('HIT')
        },
        { timeoutMs: 15_000 },
      )
    },
  )

  it(
    'does not let a command say that it cleared, or knows, what it could not ask',
    { timeout: 60_000 },
    async () => {
      await redis.kill('SIGKILL')
      const run = (...args: string[]) => manage(test.settings.dataDir, args, { REDIS_URL: redis.url })
      for (const args of [['clear_book_cache', '--all-books'], ['cache_stats']]) {
        const { code, stdout, stderr } = await run(...args)
        expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' })
        expect(stderr).not.toMatch(/^\s+at /m)
        if (args.length === 1) expect(stderr).toContain('Redis does not answer')
      }
    },
  )
})

describeWith(['postgres', 'redis'], 'a command with REDIS_URL', () => {
  it('leaves what Redis did not confirm to the processes of the site', { timeout: 60_000 }, async () => {
    const redis = await startRedis({ args: [] })
    onTestFinished(() => redis.stop())
    const test = await startSite({ redisUrl: redis.url })
    onTestFinished(() => test.stop())
    await eventually(async () => expect(await view(test.app, '/books/1')).toMatchObject({ status: 'HIT' }))
    await redis.kill('SIGSTOP')
    await test.site.database.db
      .update(books)
      .set({ title: 'Renamed while Redis hung' })
      .where(eq(books.id, 1))
    const run = await manage(test.settings.dataDir, ['clear_book_cache', '--tag', 'book:1'], {
      REDIS_URL: redis.url,
    })
    expect(run.code).toBe(1)
    await redis.kill('SIGCONT')
    await eventually(
      async () => {
        const { status, body } = await view(test.app, '/books/1')
        expect(status).toBe('HIT')
        expect(body).toContain('Renamed while Redis hung')
      },
      { timeoutMs: 15_000 },
    )
  })

  it('is heard by a site without it', { timeout: 60_000 }, async () => {
    const redis = await startRedis({ args: [] })
    onTestFinished(() => redis.stop())
    const test = await startSite()
    onTestFinished(() => test.stop())
    await view(test.app, '/books/1')
    expect(await view(test.app, '/books/1')).toMatchObject({ status: 'HIT' })
    const run = await manage(test.settings.dataDir, ['clear_book_cache', '--tag', 'book:1'], {
      REDIS_URL: redis.url,
    })
    expect(run.code).toBe(0)
    await eventually(async () => expect(await view(test.app, '/books/1')).toMatchObject({ status: 'MISS' }))
  })
})

describeWith('redis', 'a cache in a database that Redis does not have', () => {
  it('is none, and not one in another database', async () => {
    const redis = await startRedis({ args: [] })
    onTestFinished(() => redis.stop())
    const errors: Error[] = []
    const cache = openCache(`${redis.url}/99`, (error) => errors.push(error as Error))
    onTestFinished(() => cache.close())
    await eventually(() => cache.redis?.status === 'end')
    expect(errors.map(({ message }) => message)).toEqual(['ERR DB index is out of range'])
    expect(await cache.backend.set('a', 1, {})).toBe(false)
  })
})

describeWith(['postgres', 'redis'], 'a site that starts while its Redis is away', () => {
  it('shows its pages, and uses Redis once it is there', { timeout: 60_000 }, async () => {
    const redis = await startRedis({ args: [] })
    await redis.kill('SIGKILL')
    const test = await startSite({ redisUrl: redis.url })
    for (const url of pages) expect({ url, ...(await view(test.app, url)) }).toMatchObject({ url, code: 200 })
    await redis.restart()
    await eventually(async () => expect(await view(test.app, '/books/1')).toMatchObject({ status: 'HIT' }), {
      timeoutMs: 15_000,
    })
    await test.stop()
    await redis.stop()
  })
})
