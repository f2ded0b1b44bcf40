import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { nextTurn } from '../event-loop.ts'
import { SPIN_MS, SOON_MS, type ToWorker } from '../protocol.ts'
import type { SharedState } from './shared.ts'

/** Behind a message of more operations the next one is not to come so soon: whoever reads their answers is busy. */
const FEW_OPERATIONS = 8

/** The event loop of the thread has its turn at least this often. */
const MAX_AWAY_MS = 50

export interface InboxParts {
  readonly shared: SharedState
  /** Whether it may look for messages where it could sleep. */
  readonly maySpin: boolean
  readonly handle: Handle
  /** Called in place of `handle` once the thread is to end; may be called again. */
  readonly close: () => void
}

/** Returns a promise when the messages behind it have to wait. */
type Handle = (message: ToWorker) => void | Promise<void>

/**
 * Hands the messages of a port on, one after another.
 *
 * Going to sleep and being woken takes longer than most statements. So where messages follow each other closely, the
 * thread looks for the next one for a moment before it sleeps; whoever awaits one statement after another has their
 * answers in less than half the time.
 */
export class Inbox {
  readonly #port: MessagePort
  readonly #shared: SharedState
  readonly #handle: Handle
  readonly #close: () => void
  readonly #maySpin: boolean
  #received = 0
  /** Whether the last message had few operations. */
  #isShort = false
  #sleptAt = 0
  /** What the next message has to wait for. */
  #underWay: Promise<void> | undefined

  constructor(port: MessagePort, { shared, maySpin, handle, close }: InboxParts) {
    this.#port = port
    this.#shared = shared
    this.#maySpin = maySpin
    this.#handle = handle
    this.#close = close
  }

  /** Begins to hand messages on. */
  open(): void {
    this.#port.on('message', (message: ToWorker) => {
      const arrivedAt = performance.now()
      this.#receive(message)
      if (arrivedAt - this.#sleptAt < SOON_MS && this.#maySpin) this.#drain(arrivedAt + MAX_AWAY_MS)
      this.#sleptAt = performance.now()
    })
  }

  #receive(message: ToWorker): void {
    if (this.#shared.isStopped) return this.#close() // whatever comes before
    this.#received = (this.#received + 1) | 0
    this.#isShort = message.type !== 'batch' || message.operations.length <= 2 * FEW_OPERATIONS
    const result = this.#underWay ? this.#underWay.then(() => this.#handle(message)) : this.#handle(message)
    if (result) this.#waitFor(result)
  }

  /** Has the messages that follow wait. */
  #waitFor(what: Promise<void>): void {
    const pending = what.finally(() => {
      if (this.#underWay === pending) this.#underWay = undefined
    })
    this.#underWay = pending
  }

  /** Receives messages for as long as each comes within a moment. */
  #drain(until: number): void {
    while (!this.#underWay && this.#hasNext()) {
      const next = receiveMessageOnPort(this.#port)
      if (next) this.#receive(next.message as ToWorker)
      // returning does not do: the port calls again at once, up to a thousand times, if it has a message by then
      if (performance.now() > until && !this.#underWay) this.#waitFor(nextTurn())
    }
  }

  #hasNext(): boolean {
    const until = performance.now() + (this.#isShort ? SPIN_MS : 0)
    do if (((this.#shared.messagesSent - this.#received) | 0) > 0) return true
    while (performance.now() < until)
    return false
  }
}
