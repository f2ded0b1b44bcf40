import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { readBody } from '../http/read-body.ts'
import type { ViewReply } from './exchange.ts'

/** The bytes of a payload, or a payload to be sent in its place. */
export type ReadPayload = { readonly bytes: Uint8Array } | { readonly rest: unknown }

/** Reads what Fastify is about to send, if it is at most `maxBytes` long. Rejects when it is a stream that fails. */
export async function readPayload(payload: unknown, maxBytes: number): Promise<ReadPayload> {
  if (payload === undefined || payload === null) return { bytes: new Uint8Array() }
  if (typeof payload === 'string' || payload instanceof Uint8Array) {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    return bytes.byteLength > maxBytes ? { rest: payload } : { bytes }
  }
  const stream = toWebStream(payload)
  if (!stream) return { rest: payload }
  const read = await readBody(stream, maxBytes)
  return 'bytes' in read ? read : { rest: Readable.fromWeb(read.rest as NodeReadableStream) }
}

/** Sets the head of a `Response` that a handler gave, as Fastify would later, and gives back its body. */
export function unwrapResponse(reply: ViewReply, payload: unknown): unknown {
  if (Object.prototype.toString.call(payload) !== '[object Response]') return payload
  const { status, headers, body, bodyUsed } = payload as Response
  // Fastify has an error for it.
  if (bodyUsed) return payload
  reply.code(status)
  for (const [name, value] of headers) reply.header(name, value)
  return body ?? ''
}

function toWebStream(payload: unknown): ReadableStream<Uint8Array> | undefined {
  if (payload instanceof ReadableStream) return payload as ReadableStream<Uint8Array>
  if (payload instanceof Readable) return Readable.toWeb(payload) as ReadableStream<Uint8Array>
  return undefined
}
