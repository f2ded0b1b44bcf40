import { afterEach, expect, it } from 'vitest'
import { describeWith, startRedis, temporaryDirectory } from '@outrider/test-kit'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../src/app.ts'

const open: FastifyInstance[] = []

async function site(redisUrl?: string, dataDir?: string): Promise<FastifyInstance> {
  const folder = dataDir ?? (await temporaryDirectory()).path
  const app = await buildApp({ host: '127.0.0.1', port: 0, dataDir: folder, redisUrl })
  open.push(app)
  return app
}

afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

async function view(
  app: FastifyInstance,
  url = '/',
): Promise<{ status: string; views: number; code: number }> {
  const { body, statusCode } = await app.inject(url)
  const status = /id="status">(\w+)</.exec(body)?.[1] ?? ''
  return { status, views: Number(/id="views">(\d+)</.exec(body)?.[1]), code: statusCode }
}

it('says MISS for the first view and HIT for the second, and counts the view it has just noted', async () => {
  const app = await site()
  expect(await view(app)).toEqual({ status: 'MISS', views: 1, code: 200 })
  expect(await view(app)).toEqual({ status: 'HIT', views: 1, code: 200 })
})

it('keeps its views over a restart', async () => {
  const { path } = await temporaryDirectory()
  const first = await site(undefined, path)
  for (let i = 0; i < 3; i++) await view(first)
  await first.close()
  expect(await view(await site(undefined, path))).toMatchObject({ status: 'MISS', views: 4 })
})

it('counts once for many views at the same time', async () => {
  const app = await site()
  const seen = await Promise.all(Array.from({ length: 50 }, () => view(app)))
  expect(seen.filter(({ status }) => status === 'MISS')).toHaveLength(1)
  expect(new Set(seen.map(({ views }) => views)).size).toBe(1)
})

it('shows which package did what', async () => {
  const { body } = await (await site()).inject('/')
  const rows = [...body.matchAll(/<tr>\s*<td>([\w-]+)<\/td>\s*<td>(\w+)<\/td>/g)].map(([, name, what]) => [
    name,
    what,
  ])
  expect(rows).toEqual([
    ['sqlite-worker', 'insert'],
    ['relaycache', 'cache'],
  ])
})

it('answers an unknown address with a page, and never with what the address says', async () => {
  const response = await (await site()).inject('/<script>alert(1)</script>')
  expect(response.statusCode).toBe(404)
  expect(response.body).toContain('There is no page at this address')
  expect(response.body).not.toContain('alert(1)')
})

it('answers an error with a page that tells nothing of its cause', async () => {
  const app = await site()
  app.get('/broken', () => Promise.reject(new Error('the secret cause')))
  app.log.level = 'silent'
  const response = await app.inject('/broken')
  expect(response.statusCode).toBe(500)
  expect(response.body).not.toContain('secret')
})

it.each([
  ['an address that cannot be decoded', { url: '/%E0%A4%A' }, 400],
  ['a path that leads out of its folder', { url: '/static/..%2fpackage.json' }, 404],
  [
    'a body that is no JSON',
    { url: '/', method: 'POST', headers: { 'content-type': 'application/json' }, payload: '{' },
    400,
  ],
  ['a range beyond the end', { url: '/static/app.css', headers: { range: 'bytes=9999999-' } }, 416],
] as const)('answers %s with a page and the status of a client error', async (_, request, status) => {
  const response = await (await site()).inject(request)
  expect(response.statusCode).toBe(status)
  expect(response.headers['content-security-policy']).toContain("default-src 'self'")
  expect(response.body).toContain('<h1>')
})

describeWith('redis', 'with Redis', () => {
  it('shares the count between two processes, and pages come when Redis is gone', async () => {
    const redis = await startRedis({ args: [] })
    const [one, two] = [await site(redis.url), await site(redis.url)]
    for (const app of [one, two]) app.log.level = 'silent'
    await expect.poll(() => view(one)).toMatchObject({ status: 'HIT' })
    expect(await view(two)).toMatchObject({ status: 'HIT' })
    await redis.kill('SIGKILL')
    expect(await view(one)).toMatchObject({ status: 'MISS', code: 200 })
    await redis.stop()
  })
})
