import { describeWith } from '@outrider/test-kit'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { books } from '../src/models/index.ts'
import { startSite, view, type TestSite } from './fixture.ts'

describeWith('postgres', 'pages', () => {
  let test: TestSite
  beforeAll(async () => {
    test = await startSite()
  })
  afterAll(() => test.stop())

  it('say MISS for the first view and HIT for the second', async () => {
    expect(await view(test.app, '/books/1')).toMatchObject({ code: 200, status: 'MISS' })
    expect(await view(test.app, '/books/1')).toMatchObject({ code: 200, status: 'HIT' })
  })

  it('show books, genres and posts', async () => {
    for (const [url, text] of [
      ['/', 'A tour in two minutes'],
      ['/books/', '36 books'],
      ['/books/?page=2', 'Page 2 of 2'],
      ['/books/?genre=mystery', '<h1>Mystery</h1>'],
      ['/books/?genre=unknown', '0 books of a genre that there is not'],
      ['/books/genre/mystery/', 'The Cartographer of Small Rooms'],
      ['/books/stats', '36</span> books'],
      ['/search', 'Title, author or ISBN'],
      ['/search?q=map', '“map”'],
      ['/books/1', 'Ines Valdemar'],
      ['/posts/a-database-behind-a-url', 'real transactions'],
    ] as const) {
      const { code, body } = await view(test.app, url)
      expect({ url, code, has: body.includes(text) }).toEqual({ url, code: 200, has: true })
    }
  })

  it('read a page number as leniently as Django: no number is the first, below 1 or beyond the end is the last', async () => {
    for (const [page, shown] of [
      ['x', 1],
      ['0', 2],
      ['-1', 2],
      ['99', 2],
      ['1e999', 1],
    ] as const) {
      expect((await view(test.app, `/books/?page=${page}`)).body).toContain(`Page ${shown} of 2`)
    }
  })

  it.each([
    '/nothing',
    '/books/genre/unknown/',
    '/books/genre/%00/',
    '/posts/%00',
    '/books/0',
    '/books/99999999999',
    '/books/1%20or%201=1',
    '/posts/unknown',
    '/<script>alert(1)</script>',
    '/static/..%2fpackage.json',
  ])('answer 404 with a page that repeats nothing: %s', async (url) => {
    const { code, body } = await view(test.app, url)
    expect(code).toBe(404)
    expect(body).toContain('There is no page at this address')
    expect(body).not.toContain('alert(1)')
  })

  it.each([
    ['an address that cannot be decoded', { url: '/%E0%A4%A' }, 400],
    [
      'a body that is no JSON',
      { url: '/', method: 'POST', headers: { 'content-type': 'application/json' }, payload: '{' },
      400,
    ],
    ['a range beyond the end', { url: '/static/app.css', headers: { range: 'bytes=9999999-' } }, 416],
  ] as const)('answer %s with a page and the status of a client error', async (_, request, status) => {
    const response = await test.app.inject(request)
    expect(response.statusCode).toBe(status)
    expect(response.headers['content-security-policy']).toContain("default-src 'self'")
    expect(response.body).toContain('<h1>')
  })

  it('tell nothing of the cause of an error', async () => {
    const { app } = await test.again()
    app.get('/broken', () => Promise.reject(new Error('the secret cause')))
    const { code, body } = await view(app, '/broken')
    expect(code).toBe(500)
    expect(body).not.toContain('secret')
  })

  it('say that the database cannot be reached when it cannot, and nothing more', async () => {
    const { app } = await test.again({ phantomUrl: 'http://127.0.0.1:9' })
    const { code, body } = await view(app, '/books/7')
    expect(code).toBe(503)
    expect(body).toContain('The database cannot be reached')
  })

  it('say which package did what', async () => {
    const { body } = await view(test.app, '/books/2')
    const rows = [...body.matchAll(/<tr>\s*<td>([\w-]+)<\/td>\s*<td>(\w+)<\/td>\s*<td>([^<]+)<\/td>/g)]
    expect(rows.map(([, name, what, target]) => [name, what, target])).toEqual([
      ['sqlite-worker', 'insert', 'page_views'],
      ['relaycache', 'cache', 'book(2)'],
    ])
  })

  it('ask the database once for fifty views at the same time', async () => {
    const seen = await Promise.all(Array.from({ length: 50 }, () => view(test.app, '/books/3')))
    expect(seen.filter(({ status }) => status === 'MISS')).toHaveLength(1)
  })

  it('show what another process changed once that has invalidated it, and keep the rest', async () => {
    const other = await test.again()
    for (const { app } of [test, other]) for (const url of ['/books/4', '/books/5']) await view(app, url)
    await test.site.invalidate(['book:4'])
    expect(await view(other.app, '/books/4')).toMatchObject({ status: 'MISS' })
    expect(await view(other.app, '/books/5')).toMatchObject({ status: 'HIT' })
    expect(await view(test.app, '/books/4')).toMatchObject({ status: 'MISS' })
  })

  it('stay as they are when the demo is seeded again, also where a row was changed or deleted', async () => {
    const { seedDemo } = await import('../src/seed/seed-demo.ts')
    const { db } = test.site.database
    await db.update(books).set({ title: 'Renamed' }).where(eq(books.id, 35))
    await db.delete(books).where(eq(books.id, 36))
    await seedDemo(test.site, 'system')
    expect(await db.$count(books)).toBe(35)
    expect(await db.$count(books, eq(books.title, 'Renamed'))).toBe(1)
  })
})
