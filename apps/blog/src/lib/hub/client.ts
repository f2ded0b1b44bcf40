import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { receive, send, type FromHub, type Gateway, type HubAddress } from './messages.ts'

/** How long the hub and its databases may take to start. */
const START_TIMEOUT_MS = 60_000
/** How long a hub may take to answer that it is one. */
const WELCOME_TIMEOUT_MS = 5000
/** The pause before a hub that was lost is started again; doubles each time until one lasts. */
const PAUSES_MS = { first: 100, longest: 10_000, lasted: 30_000 }
const MOVED =
  'The database had to move to another port, since its own was taken meanwhile: start this process again'

export interface HubOptions<Question, Answer> {
  readonly dataDir: string
  /** The program that serves the hub; started when none is there. */
  readonly program: string
  /** Variables for it, beside those of this process. */
  readonly env: Readonly<Record<string, string>>
  /** Answers what another process asked; never rejects. */
  readonly onQuestion: (question: Question) => Promise<Answer>
  /** Called when the connection is lost while in use, and again when it is back. */
  readonly onGap: () => Promise<void>
  /** Receives why the hub could not be started again, after each try. */
  readonly onError: (error: unknown) => void
}

/** This process's place among the processes of its data folder. What they ask and answer is JSON. */
export class Hub<Question, Answer> {
  readonly #options: HubOptions<Question, Answer>
  readonly #waiting = new Map<number, Waiting<Answer>>()
  #socket: Socket
  readonly #leaving = new AbortController()
  #nextId = 0
  #joinedAt = performance.now()
  #pauseMs = PAUSES_MS.first
  /** Where the databases are; undefined when another gateway was configured. */
  readonly gateway: Gateway | undefined

  private constructor(options: HubOptions<Question, Answer>, { socket, gateway }: Membership) {
    this.#options = options
    this.gateway = gateway
    this.#socket = socket
    this.#listen(socket)
  }

  get #hasLeft(): boolean {
    return this.#leaving.signal.aborted
  }

  /** Joins the hub of a data folder, starting it when it does not run. @throws when it cannot be started */
  static async join<Question, Answer>(options: HubOptions<Question, Answer>): Promise<Hub<Question, Answer>> {
    return new Hub(options, await findOrStart(options))
  }

  /**
   * What the other processes answer, in no order. Resolves once each has answered or is gone. @throws when the hub is
   * gone before, or one of them gives no answer for ten seconds
   */
  async ask(question: Question): Promise<readonly Answer[]> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      if (this.#socket.destroyed) this.#fail(new Error('The hub is not reachable'))
      else send(this.#socket, { type: 'ask', id, question })
    })
  }

  /** Takes leave. The hub ends when the last process has left. */
  async leave(): Promise<void> {
    this.#leaving.abort()
    await this.#takeLeave()
  }

  async #takeLeave(): Promise<void> {
    if (this.#socket.destroyed) return
    send(this.#socket, { type: 'leave' })
    this.#socket.end()
    await once(this.#socket, 'close')
  }

  #listen(socket: Socket): void {
    receive(socket, (message) => {
      const said = message as FromHub
      if (said.type === 'question') void this.#answer(socket, said)
      else if (said.type === 'answers') {
        const asking = this.#waiting.get(said.id)
        this.#waiting.delete(said.id)
        if (said.silent === 0) asking?.resolve(said.answers as Answer[])
        else asking?.reject(new Error(`Other processes of this site that gave no answer: ${said.silent}`))
      }
    })
    socket.on('close', () => {
      this.#fail(new Error('The hub ended before all processes had answered'))
      if (!this.#hasLeft) void this.#rejoin()
    })
  }

  async #answer(
    socket: Socket,
    { id, question }: { readonly id: number; readonly question: unknown },
  ): Promise<void> {
    const answer = await this.#options.onQuestion(question as Question)
    if (!socket.destroyed) send(socket, { type: 'answer', id, answer })
  }

  /** What happened in the gap is not known, so the caller is told at both of its ends. */
  async #rejoin(): Promise<void> {
    if (performance.now() - this.#joinedAt > PAUSES_MS.lasted) this.#pauseMs = PAUSES_MS.first
    await this.#options.onGap()
    while (!this.#hasLeft) {
      await this.#pause()
      const membership = await findOrStart(this.#options).catch((error: unknown) =>
        this.#options.onError(error),
      )
      if (!membership) continue
      this.#socket = membership.socket
      this.#joinedAt = performance.now()
      this.#listen(membership.socket)
      if (this.#hasLeft) return this.#takeLeave()
      if (membership.gateway?.url !== this.gateway?.url) this.#options.onError(new Error(MOVED))
      await this.#options.onGap()
      return
    }
  }

  /** A hub that ends as often as it is started is started ever more rarely. */
  async #pause(): Promise<void> {
    const jitter = 0.5 + Math.random() / 2 // processes of one folder do not all start one at the same time
    await sleep(jitter * this.#pauseMs, undefined, { signal: this.#leaving.signal }).catch(() => {})
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSES_MS.longest)
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

interface Waiting<Answer> {
  readonly resolve: (answers: readonly Answer[]) => void
  readonly reject: (error: unknown) => void
}

/** What starting a hub takes. */
type Start = Pick<HubOptions<never, never>, 'dataDir' | 'program' | 'env'>

interface Membership {
  readonly socket: Socket
  readonly gateway: Gateway | undefined
}

/** Joins the hub that runs, or starts one; when several processes do so at once, all but one of theirs give way. */
async function findOrStart(options: Start): Promise<Membership> {
  const deadline = Date.now() + START_TIMEOUT_MS
  let program: StartedProgram | undefined
  while (Date.now() < deadline) {
    const found = await find(options.dataDir)
    if (found) return found
    program ??= start(options)
    await Promise.race([program.ended, sleep(20)])
    if (program.failure !== undefined) throw new Error(program.failure)
    if (program.gaveWay) program = undefined
  }
  throw new Error(
    `The databases did not start within ${START_TIMEOUT_MS / 1000} s; see ${logOf(options.dataDir)}`,
  )
}

interface StartedProgram {
  readonly ended: Promise<unknown>
  failure: string | undefined
  gaveWay: boolean
}

/** Starts the hub as a process of its own, which outlives this one. */
function start({ dataDir, program, env }: Start): StartedProgram {
  mkdirSync(dataDir, { recursive: true })
  const log = openSync(logOf(dataDir), 'w', 0o600)
  const child = spawn(process.execPath, [program], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env },
  })
  closeSync(log)
  child.unref()
  const started: StartedProgram = { ended: once(child, 'exit'), failure: undefined, gaveWay: false }
  child.once('exit', (code) => {
    if (code === 0) started.gaveWay = true
    else
      started.failure =
        readFileSync(logOf(dataDir), 'utf8').trim() || `The databases in ${dataDir} did not start`
  })
  return started
}

const logOf = (dataDir: string): string => join(dataDir, 'gateway.log')

async function find(dataDir: string): Promise<Membership | undefined> {
  const address = await readFile(join(dataDir, 'hub.json'), 'utf8').then(
    (text) => JSON.parse(text) as HubAddress,
    () => undefined,
  )
  if (!address) return undefined
  const socket = connect(address.port, '127.0.0.1')
  socket.setTimeout(WELCOME_TIMEOUT_MS, () => socket.destroy())
  try {
    await once(socket, 'connect')
    send(socket, { type: 'join', token: address.token })
    const gateway = await welcome(socket)
    socket.setTimeout(0)
    return { socket, gateway }
  } catch {
    socket.destroy()
    return undefined // a hub that has ended, or another program on its port
  }
}

function welcome(socket: Socket): Promise<Gateway | undefined> {
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('The hub refused this process')))
    socket.once('data', (chunk) => {
      const [line = '', ...more] = String(chunk).split('\n')
      socket.pause()
      socket.unshift(Buffer.from(more.join('\n'))) // what others invalidated meanwhile may have come along
      const message = JSON.parse(line) as FromHub
      if (message.type === 'welcome') resolve(message.gateway)
    })
  })
}
