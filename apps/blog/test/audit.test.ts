import { mkdir } from 'node:fs/promises'
import { describeWith, eventually } from '@outrider/test-kit'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { buildApp } from '../src/app.ts'
import { books, posts, reviews } from '../src/models/index.ts'
import { seedDemo } from '../src/seed/seed-demo.ts'
import { openSite, type Site } from '../src/site.ts'
import type { Transaction } from '../src/tracked-transaction.ts'
import { dataFolder, startSite, view, type TestSite } from './fixture.ts'

describeWith('postgres', 'the audit log', () => {
  let test: TestSite
  beforeAll(async () => {
    test = await startSite()
  })
  afterAll(() => test.stop())

  const countOf = async (): Promise<number> => {
    const sql = 'SELECT COUNT(*) AS entries FROM audit_log'
    const [row] = await test.site.getWorker('analytics').execute<{ entries: number }>(sql)
    return row?.entries ?? 0
  }
  /** Changes a book, as a user. */
  const onBook = (site: Site, id: number, values: Partial<typeof books.$inferInsert>): Promise<unknown> =>
    site.transaction('ada', async (tx, touch) => {
      touch({ table: books, column: books.id, values: [id] })
      await tx.update(books).set(values).where(eq(books.id, id))
    })
  /** Runs something on a review, as a user. */
  const onReview = (id: number, work: (tx: Transaction) => Promise<unknown>): Promise<unknown> =>
    test.site.transaction('ada', async (tx, touch) => {
      touch({ table: reviews, column: reviews.id, values: [id] })
      return work(tx)
    })

  it('has an entry for each object that was created, and who did it', async () => {
    const created = await test.site.audit.read({ model: 'books', limit: 100 })
    expect(created).toHaveLength(36)
    expect(created[0]).toEqual({
      model: 'books',
      objectId: 36,
      action: 'created',
      actor: 'system',
      timestamp: expect.any(Date),
      diff: undefined,
    })
    expect(await test.site.audit.read({ model: 'posts', objectId: 1 })).toHaveLength(1)
  })

  it('gets nothing from a run that changes nothing, also not from view counters', async () => {
    const before = await countOf()
    await test.site.database.db.update(posts).set({ viewCount: 7 })
    await seedDemo(test.site, 'seed_demo')
    expect(await countOf()).toBe(before)
  })

  it('says of an update which fields changed, from what to what', async () => {
    const before = await countOf()
    await onBook(test.site, 3, { title: 'Changed', ratingsCount: 0 })
    const [entry] = await test.site.audit.read({ model: 'books', objectId: 3 })
    expect(entry).toMatchObject({ action: 'updated', actor: 'ada' })
    expect(entry?.diff).toEqual({
      title: { from: expect.not.stringContaining('Changed'), to: 'Changed' },
      ratingsCount: { from: expect.any(Number), to: 0 },
    })
    expect(await countOf()).toBe(before + 1)
  })

  it('has deletions', async () => {
    await onReview(5, (tx) => tx.delete(reviews).where(eq(reviews.id, 5)))
    expect((await test.site.audit.read({ model: 'reviews', objectId: 5 }))[0]).toMatchObject({
      action: 'deleted',
      actor: 'ada',
    })
  })

  it('has nothing of what was rolled back', async () => {
    const before = await countOf()
    const failing = onReview(6, async (tx) => {
      await tx.update(reviews).set({ rating: 1, body: 'x' }).where(eq(reviews.id, 6))
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    expect(await countOf()).toBe(before)
  })

  it('fails neither a change nor a page when it cannot be written, and says so', async () => {
    const analyticsFile = await dataFolder()
    await mkdir(analyticsFile, { recursive: true })
    const errors: string[] = []
    const site = await openSite(
      { ...test.settings, analyticsFile },
      { onError: (_, what) => errors.push(what) },
    )
    const app = await buildApp(site)
    app.log.level = 'silent'
    onTestFinished(async () => {
      await app.close()
      await site.close()
    })
    await onBook(site, 4, { title: 'Changed too' })
    expect(await site.database.db.$count(books, eq(books.title, 'Changed too'))).toBe(1)
    expect(await view(app, '/books/4')).toMatchObject({ code: 200 })
    const home = await view(app, '/')
    expect(home).toMatchObject({ code: 200, body: expect.stringContaining('cannot be counted now') })
    await eventually(() =>
      expect(errors).toEqual(
        expect.arrayContaining([
          'changes could not be noted in the audit log',
          'a page view could not be stored',
        ]),
      ),
    )
  })
})

describeWith('postgres', '/api/analytics', () => {
  it('answers with the views by day, and the pages viewed most today, without their queries', async () => {
    const test = await startSite()
    onTestFinished(() => test.stop())
    for (const url of ['/books/?page=2', '/books/', '/']) await view(test.app, url)
    const days = await test.app.inject('/api/analytics/')
    expect(days.json()).toEqual({
      analytics: [{ date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/), views: 3 }],
    })
    const top = await test.app.inject('/api/analytics/top-today')
    expect(top.json()).toEqual({
      analytics: [
        { url: '/books/', views: 2 },
        { url: '/', views: 1 },
      ],
    })
    const unknown = await test.app.inject('/api/nothing')
    expect({ code: unknown.statusCode, body: unknown.json<unknown>() }).toEqual({
      code: 404,
      body: { error: 'There is no page at this address.' },
    })
  })
})
