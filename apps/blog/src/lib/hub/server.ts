import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { receive, send, type Gateway, type HubAddress, type ToHub } from './messages.ts'

/** How long the hub stays when the last process left without a word, so that its next start finds everything warm. */
const CRASH_GRACE_MS = 10_000

/** How long a member may take to answer: one that is stopped is still connected. */
const ANSWER_TIMEOUT_MS = 10_000

/** A question that is under way. */
interface Round {
  readonly pending: Set<Socket>
  readonly answers: unknown[]
  readonly done: () => void
}

/**
 * The meeting point of the processes of one data folder. They stay connected while they live: it knows when the last
 * has gone, and passes questions on from one to all others.
 */
export class HubServer {
  readonly #gateway: Gateway | undefined
  readonly #answerTimeoutMs: number
  readonly #token = randomBytes(24).toString('base64url')
  readonly #members = new Set<Socket>()
  readonly #rounds = new Map<number, Round>()
  readonly #server: Server
  #nextId = 0
  #closing: NodeJS.Timeout | undefined
  /** Resolves when the last process has left. */
  readonly deserted: Promise<void>
  /** Makes it as if the last process had left. */
  desert: () => void = () => {}

  constructor(gateway: Gateway | undefined, { answerTimeoutMs = ANSWER_TIMEOUT_MS } = {}) {
    this.#gateway = gateway
    this.#answerTimeoutMs = answerTimeoutMs
    this.deserted = new Promise((resolve) => (this.desert = resolve))
    this.#server = createServer((socket) => this.#welcome(socket))
  }

  /** Listens on a port of this machine and says where in `<dataDir>/hub.json`. */
  async listen(dataDir: string): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const { port } = this.#server.address() as AddressInfo
    const file = join(dataDir, 'hub.json')
    const draft = `${file}.${process.pid}`
    const address: HubAddress = { port, token: this.#token, pid: process.pid }
    await writeFile(draft, JSON.stringify(address), { mode: 0o600 })
    await rename(draft, file)
    this.#leaveIfAlone(CRASH_GRACE_MS)
  }

  /** Stops listening and removes `hub.json`. */
  async close(dataDir: string): Promise<void> {
    clearTimeout(this.#closing)
    await rm(join(dataDir, 'hub.json'), { force: true })
    for (const member of this.#members) member.destroy()
    this.#server.close()
  }

  #welcome(socket: Socket): void {
    let graceMs = CRASH_GRACE_MS
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (!this.#members.delete(socket)) return
      for (const round of this.#rounds.values()) settle(round, socket)
      this.#leaveIfAlone(graceMs)
    })
    receive(socket, (message) => {
      const said = message as ToHub
      if (said.type === 'join') this.#join(socket, said.token)
      else if (!this.#members.has(socket)) socket.destroy()
      else if (said.type === 'leave') graceMs = 0
      else if (said.type === 'ask') void this.#ask(socket, said)
      else {
        const round = this.#rounds.get(said.id)
        if (round) settle(round, socket, [said.answer])
      }
    })
  }

  #join(socket: Socket, token: string): void {
    const [given, wanted] = [Buffer.from(token), Buffer.from(this.#token)]
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      socket.destroy()
      return
    }
    clearTimeout(this.#closing)
    this.#members.add(socket)
    send(socket, { type: 'welcome', gateway: this.#gateway })
  }

  /** Passes a question on to all others; answers once each of them has answered, is gone, or has been silent for long. */
  async #ask(
    from: Socket,
    { id, question }: { readonly id: number; readonly question: unknown },
  ): Promise<void> {
    const pending = new Set(this.#members)
    pending.delete(from)
    const answers: unknown[] = []
    if (pending.size > 0) {
      const round = this.#nextId++
      const done = new Promise<void>((resolve) =>
        this.#rounds.set(round, { pending, answers, done: resolve }),
      )
      for (const member of pending) send(member, { type: 'question', id: round, question })
      const timer = setTimeout(() => this.#rounds.get(round)?.done(), this.#answerTimeoutMs)
      await done
      clearTimeout(timer)
      this.#rounds.delete(round)
    }
    send(from, { type: 'answers', id, answers, silent: pending.size })
  }

  #leaveIfAlone(graceMs: number): void {
    if (this.#members.size > 0) return
    clearTimeout(this.#closing)
    this.#closing = setTimeout(() => this.desert(), graceMs)
  }
}

/** A member has answered, or is gone without an answer. */
function settle({ pending, answers, done }: Round, member: Socket, answer: readonly unknown[] = []): void {
  if (!pending.delete(member)) return
  answers.push(...answer)
  if (pending.size === 0) done()
}
