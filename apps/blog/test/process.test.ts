import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '@outrider/test-kit'
import { expect, it, onTestFinished } from 'vitest'

interface Site {
  readonly child: ChildProcess
  /** Resolves to the address once it is printed. */
  readonly url: Promise<string>
  readonly ended: Promise<{ code: number | null; output: string }>
}

/** Runs the built site as `npm start` does. */
async function start(env: Record<string, string>): Promise<Site> {
  const { path } = await temporaryDirectory()
  const child = spawn(process.execPath, [fileURLToPath(new URL('../dist/main.js', import.meta.url))], {
    env: { ...process.env, REDIS_URL: '', DATA_DIR: path, ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  const ended = once(child, 'close').then(([code]: (number | null)[]) => ({ code: code ?? null, output }))
  const url = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += String(text)
        const address = /http:\/\/\S+/.exec(output)?.[0]
        if (address) resolve(address)
      })
    }
    void ended.then(() => reject(new Error(output)))
  })
  url.catch(() => {})
  return { child, url, ended }
}

it.each(['SIGINT', 'SIGTERM'] as const)('ends cleanly on %s', async (signal) => {
  const { child, url, ended } = await start({ PORT: '0' })
  expect((await fetch(await url)).status).toBe(200)
  child.kill(signal)
  expect(await ended).toMatchObject({ code: 0, output: expect.stringContaining('Ending') })
})

it('does not wait for a connection over which nothing came', async () => {
  const { child, url, ended } = await start({ PORT: '0' })
  const { port } = new URL(await url)
  const silent = connect(Number(port), '127.0.0.1')
  const half = connect(Number(port), '127.0.0.1')
  half.write('GET / HTTP/1.1\r\nHost: x\r\n')
  for (const socket of [silent, half]) socket.on('error', () => {})
  await once(silent, 'connect')
  await fetch(await url) // by now both have been accepted
  child.kill('SIGTERM')
  expect(await ended).toMatchObject({ code: 0 })
})

it('says in one line that a port is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const { code, output } = await (await start({ PORT: String(port) })).ended
  expect(code).toBe(1)
  expect(output).toBe(`Port ${port} is taken by another program. Choose another: PORT=8001 npm start\n`)
})

it('says which variable does not fit', async () => {
  const { code, output } = await (await start({ PORT: 'eighty' })).ended
  expect(code).toBe(1)
  expect(output).toMatch(/^These environment variables do not fit:\n {2}PORT: .*\n$/)
})
