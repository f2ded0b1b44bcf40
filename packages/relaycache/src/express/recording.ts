import type { ServerResponse } from 'node:http'
import { Lead } from '../http/lead.ts'
import { askForEverything, headersOf, onceOver, text } from '../http/node-request.ts'
import type { Refusal } from '../http/not-stored.ts'
import type { Rendered } from '../http/render.ts'
import { storedResponse, type HeaderValue, type StoredResponse } from '../http/stored-response.ts'
import type { Check } from '../http/view.ts'
import { sendHead } from './send.ts'

export interface RecordingOptions {
  readonly check: Check
  readonly maxBodyBytes: number
  /** What to send for a response that nobody else has asked for yet. */
  readonly render: (stored: StoredResponse) => Rendered
  /** Resolves when the response that was delivered or refused has been dealt with. */
  readonly settled: () => Promise<unknown>
}

type WriteArgs = [chunk?: unknown, encoding?: unknown, done?: unknown]

/**
 * Holds back what a handler writes to a response until it is complete, or until it is clear that nobody else will get
 * it: then everything goes out as it was written. Other middleware may replace the methods of the response too.
 */
export class Recording {
  readonly lead: Lead = new Lead()
  readonly #response: ServerResponse
  readonly #options: RecordingOptions
  readonly #before: ReadonlyMap<string, HeaderValue>
  readonly #restoreRequest: () => void
  readonly #write: (...args: WriteArgs) => boolean
  readonly #chunks: Uint8Array[] = []
  #size = 0
  /** `ended`: complete, and about to be sent. `open`: whatever is written passes through. */
  #state: 'recording' | 'ended' | 'open' = 'recording'

  constructor(response: ServerResponse, options: RecordingOptions) {
    this.#response = response
    this.#options = options
    this.#before = new Map(headersOf(response.getHeaders()))
    this.#restoreRequest = askForEverything(response.req)
    this.#write = response.write.bind(response) as (...args: WriteArgs) => boolean
    this.#intercept()
    onceOver(response.req, response, () => {
      // A handler that fails half-way ends like this too.
      if (this.#size > 0) this.#open('failed')
      else this.lead.abandon()
    })
  }

  #intercept(): void {
    const response = this.#response
    const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse
    const flushHeaders = response.flushHeaders.bind(response)
    const end = response.end.bind(response) as (...args: WriteArgs) => ServerResponse
    Object.assign(response, {
      write: (...args: WriteArgs): boolean => {
        if (this.#state === 'ended') return false
        return this.#state === 'recording' && this.#keep(args) ? true : this.#write(...args)
      },
      end: (...args: WriteArgs): ServerResponse => {
        if (this.#state === 'ended') return response
        const values = args.filter((arg) => typeof arg !== 'function')
        if (this.#state === 'open' || !this.#keep([values[0] ?? '', values[1]])) return end(...args)
        void this.#end(args.find((arg): arg is () => void => typeof arg === 'function'))
        return response
      },
      writeHead: (...args: unknown[]): ServerResponse => {
        if (this.#state !== 'recording') return writeHead(...args)
        setHead(response, args)
        return response
      },
      flushHeaders: (): void => {
        this.#open('private')
        flushHeaders()
      },
    })
  }

  /** Whether the chunk is held back. If not, all that was held back has been written. */
  #keep([chunk, encoding, done]: WriteArgs): boolean {
    const bytes = toBytes(chunk, encoding)
    const refusal = bytes === undefined ? 'failed' : this.#refusal(bytes)
    if (refusal || bytes === undefined) {
      this.#open(refusal ?? 'failed')
      return false
    }
    this.#size += bytes.byteLength
    this.#chunks.push(bytes)
    // A handler that fails half-way must not be answered for with an error page behind the first half.
    if (this.#size > 0)
      Object.defineProperty(this.#response, 'headersSent', { value: true, configurable: true })
    const callback = typeof encoding === 'function' ? encoding : done
    if (typeof callback === 'function') process.nextTick(callback)
    return true
  }

  #refusal(bytes: Uint8Array): Refusal | undefined {
    if (this.#size + bytes.byteLength > this.#options.maxBodyBytes) return 'private'
    const { statusCode } = this.#response
    return this.#options.check({ status: statusCode, header: (name) => text(this.#response.getHeader(name)) })
  }

  #open(refusal: Refusal): void {
    if (this.#state === 'recording') {
      this.#release('open')
      for (const chunk of this.#chunks.splice(0)) this.#write(chunk)
    }
    this.lead.refuse(refusal)
  }

  async #end(done: (() => void) | undefined): Promise<void> {
    this.#release('ended')
    const response = this.#response
    try {
      const stored = storedResponse(
        headersOf(response.getHeaders()),
        Buffer.concat(this.#chunks),
        this.#before,
      )
      const body = sendHead(response, this.#options.render(stored))
      // Sessions set their cookie at the very last moment.
      if (response.hasHeader('set-cookie')) this.lead.refuse('private')
      else this.lead.deliver(stored)
      await this.#options.settled()
      this.#state = 'open'
      response.end(body, done)
    } catch (error) {
      this.lead.refuse('failed')
      response.destroy(error as Error)
    }
  }

  #release(state: 'ended' | 'open'): void {
    this.#state = state
    this.#restoreRequest()
    Reflect.deleteProperty(this.#response, 'headersSent')
  }
}

/** `undefined` for what a response does not take: it will say so itself. */
function toBytes(chunk: unknown, encoding: unknown): Uint8Array | undefined {
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
  // A copy: the writer may use its buffer again.
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : undefined
}

/** The arguments of `writeHead`, taken apart: the head itself is written later. */
function setHead(response: ServerResponse, [status, ...rest]: unknown[]): void {
  response.statusCode = Number(status)
  if (typeof rest[0] === 'string') response.statusMessage = rest[0]
  const headers: unknown = rest.find((arg) => typeof arg === 'object' && arg !== null)
  if (Array.isArray(headers)) {
    const flat: unknown[] = headers.flat()
    const names = flat.filter((_, index) => index % 2 === 0).map(String)
    for (const name of names) response.removeHeader(name)
    names.forEach((name, index) => response.appendHeader(name, String(flat[2 * index + 1])))
  } else {
    for (const [name, value] of Object.entries(headers ?? {}))
      if (value !== undefined) response.setHeader(name, value as string | string[])
  }
}
