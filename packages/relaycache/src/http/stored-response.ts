import { createHash } from 'node:crypto'
import type { HeaderOf } from './request-key.ts'

export type HeaderValue = string | readonly string[]
export type Header = readonly [name: string, value: HeaderValue]

/** A response with status 200, as it is kept in the cache. */
export interface StoredResponse {
  /** Tells it from a value that a cached function stored under the same key. */
  readonly view: 1
  /** What the handler set, without what belongs to one connection or one moment. Names are in lower case. */
  readonly headers: readonly Header[]
  /** Headers that were set before the handler ran, and which it removed. */
  readonly removed: readonly string[]
  readonly body: Uint8Array
  /** Strong: the SHA-256 of the body and of {@link REPRESENTATION}. */
  readonly etag: string
  readonly storedAtMs: number
}

/** What the decision whether a response may be stored depends on. */
export interface ResponseHead {
  readonly status: number
  readonly header: HeaderOf
}

/** Headers that are made anew for each response, or that speak of the connection. */
const NOT_STORED = new Set([
  'age',
  'connection',
  'content-length',
  'date',
  'etag',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-cache',
])

/** Headers that tell one representation from another of the same bytes (RFC 9110, 8.8.1). */
const REPRESENTATION = ['content-type', 'content-encoding', 'content-language'] as const

/** The form in which a response is stored. `before` are the headers that were there before the handler ran. */
export function storedResponse(
  headers: Iterable<Header>,
  body: Uint8Array,
  before: ReadonlyMap<string, HeaderValue> = new Map(),
): StoredResponse {
  const after = new Map(headers)
  return {
    view: 1,
    headers: [...after].filter(([name, value]) => !NOT_STORED.has(name) && !isSame(value, before.get(name))),
    removed: [...before.keys()].filter((name) => !NOT_STORED.has(name) && !after.has(name)),
    body,
    etag: etagOf(after, body),
    storedAtMs: Date.now(),
  }
}

export function isStoredResponse(value: unknown): value is StoredResponse {
  return typeof value === 'object' && value !== null && 'view' in value && value.view === 1
}

/** Whether no response like this one may be stored, whoever asks: it is for one user, or has no end. */
export function isPrivate({ header }: ResponseHead): boolean {
  return (
    header('set-cookie') !== undefined ||
    header('trailer') !== undefined ||
    listed(header('cache-control')).some((directive) => /^(?:no-store|private)(?:=|$)/.test(directive)) ||
    listed(header('vary')).includes('*') ||
    /^\s*text\/event-stream\b/i.test(header('content-type') ?? '')
  )
}

/** The members of a comma-separated header, in lower case. */
export function listed(value: string | undefined): string[] {
  const members = (value ?? '').split(',').map((member) => member.trim().toLowerCase())
  return members.filter((member) => member !== '')
}

function etagOf(headers: ReadonlyMap<string, HeaderValue>, body: Uint8Array): string {
  const representation = JSON.stringify(REPRESENTATION.map((name) => headers.get(name)))
  return `"${createHash('sha256').update(representation).update(body).digest('base64url')}"`
}

function isSame(a: HeaderValue, b: HeaderValue | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
