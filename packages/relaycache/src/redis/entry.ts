import { randomBytes } from 'node:crypto'
import type { Timing } from '../backend.ts'
import { endOfBytes, endOfText } from './bytes.ts'
import { TOKEN_LENGTH } from './scripts.ts'

/**
 * What a value key holds: the key's own token, a stamp, a header with the tokens of the entry's tags, a line feed, and
 * the encoded value. A key whose first value is still being computed holds its token only.
 */
const VERSION = 'R2'

/**
 * The stamp is random and made for each `store`, so that two blobs with the same one are the same but for their token.
 * It tells a process that already has the value that it need not read it again. The token cannot tell that: a value
 * and the one that a refresh stores in its place have the same. The stamp also tells until when the value is fresh; all
 * zeros are for a value that is fresh as long as Redis has it. The clocks of writers and readers may differ: then a
 * value becomes stale sooner or later by as much. No clock has a say in what is invalidated, nor in how long Redis has the
 * value: that is in the stamp as a number of milliseconds from the `store` on.
 */
const RANDOM_LENGTH = 12

/**
 * In base 36: the milliseconds of `Date.now()` at the end of the ttl, those that the function took, and those for which
 * Redis has the value.
 */
const FRESH_UNTIL_LENGTH = 9
const COMPUTE_LENGTH = 6
const LIFE_LENGTH = 7
const NEVER = '0'.repeat(FRESH_UNTIL_LENGTH)
const LIFE_START: number = RANDOM_LENGTH + FRESH_UNTIL_LENGTH + COMPUTE_LENGTH
const STAMP_LENGTH: number = LIFE_START + LIFE_LENGTH

/** Where the stamp stands in a blob, as `GETRANGE` takes it: both ends belong to it. */
export const STAMP_RANGE: readonly [first: number, last: number] = [
  TOKEN_LENGTH,
  TOKEN_LENGTH + STAMP_LENGTH - 1,
]

const HEADER_START: number = TOKEN_LENGTH + STAMP_LENGTH

/** A stamp for a value stored now, which Redis has for `lifeMs`. It is fresh for `freshMs`, or as long as Redis has it. */
export function newStamp(
  lifeMs: number,
  timing?: { readonly freshMs: number; readonly computeMs: number },
): string {
  const freshUntil = timing ? Date.now() + timing.freshMs : 0
  return (
    randomBytes(9).toString('base64url') +
    fixed(freshUntil, FRESH_UNTIL_LENGTH) +
    fixed(timing?.computeMs ?? 0, COMPUTE_LENGTH) +
    fixed(lifeMs, LIFE_LENGTH)
  )
}

/** The timing of the value in a blob; `undefined` when it is fresh as long as Redis has it. */
export function timingOf(blob: Buffer): Timing | undefined {
  const isUntimed = endOfText(blob, TOKEN_LENGTH + RANDOM_LENGTH, NEVER) >= 0
  return isUntimed ? undefined : timingIn(stampIn(blob))
}

/** The timing of a value with this stamp. */
export function timingIn(stamp: string): Timing | undefined {
  const end = RANDOM_LENGTH + FRESH_UNTIL_LENGTH
  const freshUntil = Number.parseInt(stamp.slice(RANDOM_LENGTH, end), 36)
  if (!(freshUntil > 0)) return undefined
  const computeMs = Number.parseInt(stamp.slice(end, LIFE_START), 36)
  return { freshUntil: performance.now() + freshUntil - Date.now(), computeMs }
}

/** For how many milliseconds Redis has a value with this stamp, from when it was stored. */
export function lifeIn(stamp: string): number {
  return Number.parseInt(stamp.slice(LIFE_START), 36)
}

/** Whether a value of this timing is not stale yet. */
export function isFresh(timing: Timing | undefined): boolean {
  return timing === undefined || performance.now() < timing.freshUntil
}

/** A number in a fixed number of digits, or the largest there is. */
function fixed(number: number, length: number): string {
  const text = Math.ceil(number).toString(36)
  return text.length > length ? 'z'.repeat(length) : text.padStart(length, '0')
}

/** The stamp of a blob. */
export function stampIn(blob: Buffer): string {
  return blob.toString('latin1', TOKEN_LENGTH, HEADER_START)
}

/**
 * The header of a value stored now. `tokens` are that of the namespace, then those of the tags in their order. An
 * entry is valid exactly if its header is the one that would be written now.
 */
export function headerOf(tags: readonly string[], tokens: readonly string[]): string {
  // JSON, by hand since every read of a value makes it; a token has nothing to escape
  let header = `${VERSION}["${tokens[0]}"`
  for (let i = 0; i < tags.length; i++) header += `,${quoted(tags[i] as string)},"${tokens[i + 1]}"`
  return `${header}]\n`
}

const NEEDS_NO_ESCAPE = /^[\w :./-]*$/

function quoted(text: string): string {
  return NEEDS_NO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** The stamp and the header of a blob with its line feed, whoever wrote it; empty when it holds a token only. */
export function preambleIn(blob: Buffer): Buffer {
  const end = blob.indexOf('\n', TOKEN_LENGTH)
  return blob.subarray(TOKEN_LENGTH, end === -1 ? blob.length : end + 1)
}

/** Where the encoded value begins, if the blob has the very header of {@link headerOf}; -1 if not. */
export function bodyUnder(tags: readonly string[], tokens: readonly Buffer[], blob: Buffer): number {
  let at = endOfText(blob, HEADER_START, `${VERSION}[`)
  for (let i = 0; i < tokens.length; i++) {
    if (i > 0) at = endOfText(blob, endOfText(blob, at, ','), quoted(tags[i - 1] as string))
    at = endOfBytes(blob, endOfText(blob, at, i === 0 ? '"' : ',"'), tokens[i] as Buffer)
    at = endOfText(blob, at, '"')
  }
  return endOfText(blob, at, ']\n')
}

/** Where the encoded value begins, whatever the header. */
export function bodyIn(blob: Buffer): number {
  return TOKEN_LENGTH + preambleIn(blob).length
}

/** Whether tokens differ at most in what soft invalidations put behind them. */
export function areSoftlyCurrent(
  stored: readonly string[],
  current: readonly (string | undefined)[],
): boolean {
  return (
    stored.length === current.length &&
    stored.every((token, index) => token.slice(0, TOKEN_LENGTH) === current[index]?.slice(0, TOKEN_LENGTH))
  )
}

/** What a blob was stored with, in the order of {@link headerOf}. */
export interface Stored {
  readonly tags: readonly string[]
  /** That of the namespace, then those of the tags. */
  readonly tokens: readonly string[]
}

/** The tags and tokens in the header of a blob; `undefined` when it is not an entry of this version. */
export function storedWith(blob: Buffer): Stored | undefined {
  const header = preambleIn(blob).toString('utf8', STAMP_LENGTH)
  if (!header.startsWith(VERSION)) return undefined
  try {
    const parts = JSON.parse(header.slice(VERSION.length)) as string[]
    return {
      tags: parts.filter((_, index) => index % 2 === 1),
      tokens: parts.filter((_, index) => index % 2 === 0),
    }
  } catch {
    return undefined
  }
}
