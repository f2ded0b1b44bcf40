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

/** The token of a tag, whose key lives at least as long as asked for. */
const OPEN_TAG = `${PRELUDE}
local token = tokenOf(KEYS[1])
if not token then
  token = newToken()
  redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
elseif redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return token`

/**
 * The token of a value that is about to be computed. What the key holds besides goes if it is what the caller found
 * to be dead (ARGV[3]): it must not take the token along when it expires.
 */
const OPEN_VALUE = `${PRELUDE}
local held = tokenOf(KEYS[1])
local life = tonumber(ARGV[2])
if held then
  local size = #ARGV[3]
  local dead = size > 0 and redis.call('GETRANGE', KEYS[1], ${TOKEN_LENGTH}, ${TOKEN_LENGTH - 1} + size) == ARGV[3]
  if not dead and redis.call('STRLEN', KEYS[1]) > ${TOKEN_LENGTH} then return held end
  life = math.max(life, redis.call('PTTL', KEYS[1]))
end
local token = held or tokenOf(KEYS[2]) or newToken()
redis.call('SET', KEYS[1], token, 'PX', life)
return token`

/**
 * Gives a value another token, so that computations which hold the old one cannot store. The value stays until its
 * own ttl is over. That may be sooner than the computation ends, so the token is kept beside it as well.
 */
const RENEW_VALUE = `${PRELUDE}
local token = newToken()
if tokenOf(KEYS[1]) then redis.call('SETRANGE', KEYS[1], 0, token) end
redis.call('SET', KEYS[2], token, 'PX', ARGV[2])
return token`

/** Stores a value behind its token, unless its key was deleted or renewed since that token was read. */
const STORE_VALUE = `${PRELUDE}
if (tokenOf(KEYS[1]) or tokenOf(KEYS[2])) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
if KEYS[2] then redis.call('DEL', KEYS[2]) end
return 1`

/** The key of a value, then the key beside it that a renewed token is kept in, where that matters. */
export type ValueKeys = readonly [value: string] | readonly [value: string, renewed: string]

/** The current token of a tag key that lives at least `lifeMs` from now. */
export async function openTag(client: RedisClient, key: string, lifeMs: number): Promise<string> {
  return String(await client.eval(OPEN_TAG, 1, key, random(), lifeMs))
}

/** The current token of a value key; lives at least `lifeMs`, unless the key holds a value that is not the dead one. */
export async function openValue(
  client: RedisClient,
  keys: ValueKeys,
  { lifeMs, dead }: { lifeMs: number; dead: Buffer },
): Promise<string> {
  return String(await client.eval(OPEN_VALUE, keys.length, ...keys, random(), lifeMs, dead))
}

/** A new token in place of the current one; lives `lifeMs`. */
export async function renewValue(client: RedisClient, keys: ValueKeys, lifeMs: number): Promise<string> {
  return String(await client.eval(RENEW_VALUE, keys.length, ...keys, random(), lifeMs))
}

/** Whether the value was stored. */
export async function storeValue(
  client: RedisClient,
  keys: ValueKeys,
  { token, text, ttlMs }: { token: string; text: string; ttlMs: number },
): Promise<boolean> {
  // A client with `stringNumbers` replies '1'.
  return Number(await client.eval(STORE_VALUE, keys.length, ...keys, token, text, ttlMs)) === 1
}

function random(): string {
  return randomBytes(9).toString('base64url')
}
