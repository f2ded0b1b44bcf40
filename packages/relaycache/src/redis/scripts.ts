import { randomBytes } from 'node:crypto'
import type { RedisClient } from './client.ts'

/** 12 random characters, then the server's seconds (10 digits) and microseconds (6 digits). */
export const TOKEN_LENGTH = 28

/**
 * What {@link openToken} does with a token that is there: `keep` it, `extend` the life of its key to at least the
 * given one, or put a new one in its place, in front of the same value.
 */
type WhenPresent = 'keep' | 'extend' | 'renew'

/**
 * The token of a key: its first bytes. A new token is made where the script runs, and not by the caller, because a
 * client sends a command again when the connection broke before the reply. A repeated script makes another token; a
 * repeated SET would bring an invalidated one back to life, with every value stored under it.
 */
const OPEN = `
local token = redis.call('GETRANGE', KEYS[1], 0, ${TOKEN_LENGTH - 1})
local present = #token == ${TOKEN_LENGTH}
if present and ARGV[3] ~= 'renew' then
  if ARGV[3] == 'extend' and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  return token
end
local time = redis.call('TIME')
local new = ARGV[1] .. string.format('%010d%06d', time[1], time[2])
if present then
  redis.call('SETRANGE', KEYS[1], 0, new)
else
  redis.call('SET', KEYS[1], new, 'PX', ARGV[2])
end
return new`

/** Stores a value behind its key's token, unless the key was deleted or renewed since that token was read. */
const STORE = `
if redis.call('GETRANGE', KEYS[1], 0, ${TOKEN_LENGTH - 1}) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
return 1`

/** The current token of a key, in latin1; makes one with a life of `lifeMs` where there is none. */
export async function openToken(
  client: RedisClient,
  key: string,
  { lifeMs, whenPresent }: { lifeMs: number; whenPresent: WhenPresent },
): Promise<string> {
  const random = randomBytes(9).toString('base64url')
  const token = await client.callBuffer('EVAL', OPEN, 1, key, random, lifeMs, whenPresent)
  return (token as Buffer).toString('latin1')
}

/** Whether the value was stored. */
export async function storeValue(
  client: RedisClient,
  key: string,
  { token, text, ttlMs }: { token: string; text: string; ttlMs: number },
): Promise<boolean> {
  return (await client.callBuffer('EVAL', STORE, 1, key, Buffer.from(token, 'latin1'), text, ttlMs)) === 1
}
