import { randomBytes } from 'node:crypto'
import type { RedisClient } from './client.ts'

/** 12 random characters, then the server's seconds (10 digits) and microseconds (6 digits). */
export const TOKEN_LENGTH = 28

/**
 * A new token is made where the script runs, and not by the caller, because a client sends a command again when the
 * connection broke before the reply. A repeated script makes another token; a repeated SET would bring an invalidated
 * one back to life, with every value stored under it.
 */
const PRELUDE = `
local function tokenOf(key)
  local token = key and redis.call('GETRANGE', key, 0, ${TOKEN_LENGTH - 1}) or ''
  return #token == ${TOKEN_LENGTH} and string.find(token, '^[%w_-]+$') and token or nil
end
local function newToken()
  local time = redis.call('TIME')
  return ARGV[1] .. string.format('%010d%06d', time[1], time[2])
end`

/**
 * The token of a tag, whose key lives at least as long as asked for. Soft invalidations put a second token behind the
 * first one.
 */
const OPEN_TAG = `${PRELUDE}
local token = tokenOf(KEYS[1])
if not token then
  token = newToken()
  redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
  return token
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])`

/**
 * Tells what the script has done, as the last thing: when that is heard, or confirmed, it is done. What was done cannot
 * be taken back, so a user who may not publish gets the reason in place of an error.
 */
const TELL = `
local function tell(channel, message)
  local told = redis.pcall('PUBLISH', channel, message)
  return type(told) == 'table' and told.err or false
end`

/** Deletes keys. Lua takes less than 8000 arguments. */
const REMOVE_KEYS = `${TELL}
for first = 1, #KEYS, 5000 do
  redis.call('DEL', unpack(KEYS, first, math.min(first + 4999, #KEYS)))
end
return tell(ARGV[1], ARGV[2])`

/** Gives a tag another second token. Nothing in Redis depends on a tag without a token; elsewhere something may. */
const SOFTEN_TAG = `${PRELUDE}${TELL}
local token = tokenOf(KEYS[1])
if token then redis.call('SET', KEYS[1], token .. newToken(), 'KEEPTTL') end
return tell(ARGV[2], ARGV[3])`

/**
 * Gives a value another token, so that computations which hold the old one cannot store. The value stays until its
 * own ttl is over. That may be sooner than the computation ends, so the token is kept beside it as well. It is never one
 * from before: while the two keys of a value are deleted one after the other, it could bring that back to life.
 */
const RENEW = `${PRELUDE}
local function renew()
  local token = newToken()
  if tokenOf(KEYS[1]) then redis.call('SETRANGE', KEYS[1], 0, token) end
  redis.call('SET', KEYS[2], token, 'PX', ARGV[2])
  return token
end`

const RENEW_VALUE = `${RENEW}
return renew()`

/**
 * The token of a value that is about to be computed. It must not go with what the key was found to hold (ARGV[3]) when that
 * expires: if that is of no use any more it goes at once; if it is stale (ARGV[4]) it stays, and the token is kept beside it.
 */
const OPEN_VALUE = `${RENEW}
local held = tokenOf(KEYS[1])
local life = tonumber(ARGV[2])
if held then
  local size = #ARGV[3]
  local same = size > 0 and redis.call('GETRANGE', KEYS[1], ${TOKEN_LENGTH}, ${TOKEN_LENGTH - 1} + size) == ARGV[3]
  if same and ARGV[4] == '1' then
    if tokenOf(KEYS[2]) ~= held then return renew() end
    if redis.call('PTTL', KEYS[2]) < life then redis.call('PEXPIRE', KEYS[2], life) end
    return held
  end
  if not same and redis.call('STRLEN', KEYS[1]) > ${TOKEN_LENGTH} then return held end
  life = math.max(life, redis.call('PTTL', KEYS[1]))
end
local token = held or tokenOf(KEYS[2]) or newToken()
redis.call('SET', KEYS[1], token, 'PX', life)
return token`

/**
 * Stores a value and tells those who may have an older one: whenever it takes the place of one, or is to (ARGV[6]), as one
 * that was evicted here may be held there. What is stored where nothing was is not told, so that a miss costs nobody
 * a message. Gives '', or the reason if it could not be told.
 */
const STORE = `${PRELUDE}${TELL}
local function store(renewed)
  local replaces = ARGV[6] == '1' or redis.call('STRLEN', KEYS[1]) > ${TOKEN_LENGTH}
  redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
  if renewed then redis.call('DEL', renewed) end
  return replaces and tell(ARGV[4], ARGV[5]) or ''
end`

/** Stores a value behind its token, unless its key was deleted or renewed since that token was read. */
const STORE_VALUE = `${STORE}
if (tokenOf(KEYS[1]) or tokenOf(KEYS[2])) ~= ARGV[1] then return false end
return store(KEYS[2])`

/**
 * Takes a lock, or says why not: the value has another token by now than the one that was seen, or is another one, as its
 * stamp tells; or for how many milliseconds another one holds the lock. Whoever sends it twice gets it twice.
 */
const TAKE_LOCK = `${PRELUDE}
if tokenOf(KEYS[2]) ~= ARGV[3] then return 'changed' end
local stamp = redis.call('GETRANGE', KEYS[2], ARGV[4], ARGV[5])
if stamp ~= '' and stamp ~= ARGV[6] then return 'changed' end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 'taken' end
if redis.call('GET', KEYS[1]) == ARGV[1] then return 'taken' end
return redis.call('PTTL', KEYS[1])`

const KEEP_LOCK = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

/** A user who may not publish gets an error, which the waiters make up for by looking from time to time. */
const END_LOCK = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[2], 'none')
return 1`

/** Like {@link STORE_VALUE}, but only for the holder of a lock (the last key), which ends with it in any case. */
const STORE_AND_END_LOCK = `${STORE}
local lock = KEYS[#KEYS]
local renewed = KEYS[3] and KEYS[2]
if redis.call('GET', lock) ~= ARGV[7] then return false end
local stored = (tokenOf(KEYS[1]) or tokenOf(renewed)) == ARGV[1] and store(renewed)
redis.call('DEL', lock)
redis.pcall('PUBLISH', ARGV[8], stored and 'stored' or 'none')
return stored`

/** A lock in Redis: its key, which is also the channel where its end is told, and the secret of its holder. */
export interface LockKey {
  readonly name: string
  readonly secret: string
}

/** The key of a value, then the key beside it that a renewed token is kept in, where that matters. */
export type ValueKeys = readonly [value: string] | readonly [value: string, renewed: string]

/** The current token of a tag key that lives at least `lifeMs` from now. */
export async function openTag(client: RedisClient, key: string, lifeMs: number): Promise<string> {
  return String(await client.eval(OPEN_TAG, 1, key, random(), lifeMs))
}

/** What to tell, where. */
export interface Told {
  readonly channel: string
  readonly message: string
}

/** Deletes keys and tells so. Gives the reason if it could not be told. */
export async function removeKeys(
  client: RedisClient,
  keys: readonly string[],
  { channel, message }: Told,
): Promise<string | undefined> {
  return reasonIn(await client.eval(REMOVE_KEYS, keys.length, ...keys, channel, message))
}

/** Makes stale what was stored under the token of a tag key, and tells so. Gives the reason if it could not be told. */
export async function softenTag(
  client: RedisClient,
  key: string,
  { channel, message }: Told,
): Promise<string | undefined> {
  return reasonIn(await client.eval(SOFTEN_TAG, 1, key, random(), channel, message))
}

/** What a value key was found to hold in place of a fresh value. */
export interface FoundValue {
  /** The preamble of a value; empty for none. */
  readonly preamble: Buffer
  /** Whether that may still be served. Both {@link ValueKeys} are needed then. */
  readonly isStale: boolean
}

/** The current token of a value key; lives at least `lifeMs`, unless the key holds another value by now. */
export async function openValue(
  client: RedisClient,
  keys: ValueKeys,
  lifeMs: number,
  { preamble, isStale }: FoundValue,
): Promise<string> {
  const args = [random(), lifeMs, preamble, isStale ? '1' : '']
  return String(await client.eval(OPEN_VALUE, keys.length, ...keys, ...args))
}

/** A new token in place of the current one; lives `lifeMs`. */
export async function renewValue(client: RedisClient, keys: ValueKeys, lifeMs: number): Promise<string> {
  return String(await client.eval(RENEW_VALUE, keys.length, ...keys, random(), lifeMs))
}

/** A value as it is stored. */
export interface StoredValue {
  readonly token: string
  readonly text: string | Buffer
  readonly ttlMs: number
  readonly told: Told
  /** Whether it is told also where Redis has no older one. */
  readonly tellAlways: boolean
}

/** Gives '' once the value is stored, or the reason if that could not be told; `undefined` when it is not stored. */
export async function storeValue(
  client: RedisClient,
  keys: ValueKeys,
  value: StoredValue,
): Promise<string | undefined> {
  return reasonIn(await client.eval(STORE_VALUE, keys.length, ...keys, ...argumentsOf(value)))
}

/** Like {@link storeValue}, but only while the lock is held, which ends with it. */
export async function storeAndEndLock(
  client: RedisClient,
  keys: ValueKeys,
  { lock: { name, secret }, ...value }: StoredValue & { lock: LockKey },
): Promise<string | undefined> {
  const all = [...keys, name]
  const args = [...argumentsOf(value), secret, name]
  return reasonIn(await client.eval(STORE_AND_END_LOCK, all.length, ...all, ...args))
}

/** What a request for a lock gave; a number is for how many more milliseconds another one holds it. */
export type Taken = 'taken' | 'changed' | number

/** Takes a lock for the computation of a value, unless somebody holds it, or has stored or deleted the value by now. */
export async function takeLock(
  client: RedisClient,
  { name, secret }: LockKey,
  {
    valueKey,
    token,
    seenStamp,
    stampRange,
    ttlMs,
  }: {
    valueKey: string
    token: string
    seenStamp: string
    stampRange: readonly [first: number, last: number]
    ttlMs: number
  },
): Promise<Taken> {
  const args = [secret, ttlMs, token, ...stampRange, seenStamp]
  const reply = String(await client.eval(TAKE_LOCK, 2, name, valueKey, ...args))
  return reply === 'taken' || reply === 'changed' ? reply : Number(reply)
}

/** Whether the lock is still held. It is then held for `ttlMs` from now. */
export async function keepLock(
  client: RedisClient,
  { name, secret }: LockKey,
  ttlMs: number,
): Promise<boolean> {
  return Number(await client.eval(KEEP_LOCK, 1, name, secret, ttlMs)) === 1
}

/** Ends a lock, and tells that no value was stored, unless it is not held any more. */
export async function endLock(client: RedisClient, { name, secret }: LockKey): Promise<void> {
  await client.eval(END_LOCK, 1, name, secret, name)
}

/** Those of `store` in {@link STORE}. */
function argumentsOf({ token, text, ttlMs, told, tellAlways }: StoredValue): (string | Buffer | number)[] {
  return [token, text, ttlMs, told.channel, told.message, tellAlways ? '1' : '']
}

function reasonIn(reply: unknown): string | undefined {
  return typeof reply === 'string' ? reply : undefined
}

function random(): string {
  return randomBytes(9).toString('base64url')
}
