import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { eventually } from '@outrider/test-kit'
import { expect, it, onTestFinished } from 'vitest'
import { Hub, type HubOptions } from '../src/lib/hub/client.ts'
import { send, type HubAddress } from '../src/lib/hub/messages.ts'
import { HubServer } from '../src/lib/hub/server.ts'
import { dataFolder } from './fixture.ts'

type Question = readonly string[]
type Options = HubOptions<Question, string>

const member = (dataDir: string, more: Partial<Options> = {}): Promise<Hub<Question, string>> =>
  Hub.join({
    dataDir,
    program: 'no-such-program.js',
    env: {},
    onQuestion: async () => 'nothing',
    onGap: async () => {},
    onError: () => {},
    ...more,
  })

/** A hub that behaves as a test wants it to. */
async function fakeHub(dataDir: string, onMember: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => onMember(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  await writeFile(join(dataDir, 'hub.json'), JSON.stringify({ port, token: '', pid: process.pid }))
}

it('a hub survives a member whose connection breaks', async () => {
  const dataDir = await dataFolder()
  const hub = new HubServer(undefined)
  await hub.listen(dataDir)
  onTestFinished(() => hub.close(dataDir))
  const { port, token } = JSON.parse(await readFile(join(dataDir, 'hub.json'), 'utf8')) as HubAddress
  const broken = connect(port, '127.0.0.1')
  broken.on('error', () => {})
  send(broken, { type: 'join', token })
  await once(broken, 'data')
  broken.resetAndDestroy()

  const other = await member(dataDir)
  expect(await other.ask(['books'])).toEqual([])
  await other.leave()
})

it('a member survives a connection that breaks, and joins again', async () => {
  const dataDir = await dataFolder()
  const sockets: Socket[] = []
  await fakeHub(dataDir, (socket) => {
    sockets.push(socket)
    send(socket, { type: 'welcome', gateway: undefined })
  })
  let gaps = 0
  const hub = await member(dataDir, { onGap: async () => void (gaps += 1) })
  sockets[0]?.resetAndDestroy()
  await eventually(() => sockets.length === 2 && gaps === 2)
  await hub.leave()
})

it('a member answers what is asked in the moment it joins', async () => {
  const dataDir = await dataFolder()
  const question = { type: 'question', id: 1, question: ['books'] } as const
  await fakeHub(dataDir, (socket) => {
    socket.write(`${JSON.stringify({ type: 'welcome' })}\n${JSON.stringify(question)}\n`)
  })
  const heard: string[] = []
  const onQuestion = async (words: Question) => `heard ${heard.push(...words)}`
  const hub = await member(dataDir, { onQuestion })
  await eventually(() => expect(heard).toEqual(['books']))
  await hub.leave()
})

it('who asks gets the answers of all other members, also when one goes before it answers', async () => {
  const dataDir = await dataFolder()
  const server = new HubServer(undefined)
  await server.listen(dataDir)
  onTestFinished(() => server.close(dataDir))
  const asked: string[] = []
  const answering = (name: string, more?: Promise<void>) =>
    member(dataDir, {
      async onQuestion(words) {
        asked.push(name)
        await more
        return `${name} ${words.join()}`
      },
    })
  const [asking, one, two] = [await member(dataDir), await answering('one'), await answering('two')]
  const silent = await answering('silent', new Promise(() => {}))
  const answers = asking.ask(['books', 'posts'])
  await eventually(() => asked.includes('silent'))
  await silent.leave()
  expect((await answers).toSorted()).toEqual(['one books,posts', 'two books,posts'])
  for (const hub of [asking, one, two]) await hub.leave()
})

it('who asks is told of members that give no answer in time, as one that is stopped', async () => {
  const dataDir = await dataFolder()
  const server = new HubServer(undefined, { answerTimeoutMs: 50 })
  await server.listen(dataDir)
  onTestFinished(() => server.close(dataDir))
  const asking = await member(dataDir)
  const hubs = [
    asking,
    await member(dataDir),
    await member(dataDir, { onQuestion: () => new Promise(() => {}) }),
  ]
  await expect(asking.ask(['books'])).rejects.toThrow('Other processes of this site that gave no answer: 1')
  for (const hub of hubs) await hub.leave()
})

it('a member says when it finds the database elsewhere than before', async () => {
  const dataDir = await dataFolder()
  const sockets: Socket[] = []
  await fakeHub(dataDir, (socket) => {
    sockets.push(socket)
    send(socket, { type: 'welcome', gateway: { url: `http://127.0.0.1:${sockets.length}`, token: 'x' } })
  })
  const errors: unknown[] = []
  const hub = await member(dataDir, { onError: (error) => void errors.push(error) })
  sockets[0]?.destroy()
  await eventually(() => expect(String(errors)).toContain('had to move to another port'))
  await hub.leave()
})
