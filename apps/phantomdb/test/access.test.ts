import { request } from 'node:http'
import { afterAll, describe, expect, it } from 'vitest'
import { startPhantomDB } from '../src/index.ts'
import { call, useGateway } from './fixture.ts'

const gateway = useGateway()
const token = 'correct-horse-battery'

/** The status of a call whose Host header is another, which fetch does not allow. */
function statusFor(host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(`${gateway.url}/databases`, { headers: { host } }, (reply) => {
      reply.resume()
      resolve(reply.statusCode)
    })
    sent.on('error', reject)
    sent.end()
  })
}

describe('without authentication', () => {
  it.each(['0.0.0.0', '192.168.0.1', '::', 'example.com'])('%s is not listened on', async (host) => {
    const started = startPhantomDB({ url: gateway.postgresUrl, host, port: 0 })
    await expect(started).rejects.toMatchObject({ code: 'ERR_AUTH_REQUIRED' })
  })

  it('calls must name a loopback host, so that no web page can call through a name of its own', async () => {
    expect(await statusFor('evil.example:8080')).toBe(403)
    expect(await statusFor('localhost:1')).toBe(200)
    expect(await statusFor('[::1]:1')).toBe(200)
  })
})

describe('with a token', () => {
  const started = startPhantomDBLater()

  it('calls without it, or with another, are refused', async () => {
    const { url } = await started()
    for (const authorization of ['', 'Bearer', 'Bearer wrong', `Basic ${token}`, `Bearer ${token}x`]) {
      const reply = await call(url, 'GET /databases', { headers: { authorization } })
      expect(reply).toMatchObject({
        status: 401,
        body: { code: 'unauthorized', message: 'Unauthorized access' },
      })
    }
    expect(await call(url, 'GET /nope')).toMatchObject({ status: 401 })
    expect(
      await call(url, 'GET /databases', { headers: { authorization: `Bearer ${token}` } }),
    ).toMatchObject({
      status: 200,
    })
  })

  it('health is public', async () => {
    const { url } = await started()
    expect(await call(url, 'GET /health')).toMatchObject({ status: 200 })
    expect(await call(url, 'GET /ready?x')).toMatchObject({ status: 200 })
  })

  it('a generated one is long and told to whoever started the server', async () => {
    await using server = await startPhantomDB({ url: gateway.postgresUrl, port: 0, auth: 'token' })
    expect(server.token).toMatch(/^[\w-]{43}$/)
  })
})

describe('options', () => {
  it.each([
    [{ prot: 1 }, 'Unknown option "prot"; did you mean "port"?'],
    [{ port: 70_000 }, 'Expected port to be an integer from 0 to 65535, got 70000 (number)'],
    [{ url: 'mysql://x' }, 'Expected url to be a postgres:// URL, got string'],
    [
      { auth: { token: 'short' } },
      "Expected auth to be 'none', 'token' or { token } of 16 characters or more",
    ],
  ])('%j is a TypeError', async (options, message) => {
    const started = startPhantomDB(options as object)
    await expect(started).rejects.toThrow(TypeError)
    await expect(started).rejects.toThrow(message)
  })
})

it('says when the port is taken', async () => {
  const port = Number(new URL(gateway.url).port)
  const started = startPhantomDB({ url: gateway.postgresUrl, port })
  await expect(started).rejects.toMatchObject({ code: 'ERR_LISTEN' })
})

/** A gateway with a token in front of the same PostgreSQL, once that runs. */
function startPhantomDBLater(): () => ReturnType<typeof startPhantomDB> {
  let server: ReturnType<typeof startPhantomDB> | undefined
  afterAll(async () => (await server)?.close())
  return () => (server ??= startPhantomDB({ url: gateway.postgresUrl, port: 0, auth: { token } }))
}
