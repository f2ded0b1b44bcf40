import { durationToMs, ttlToMs, type Duration, type Ttl } from '../duration.ts'
import { checkOptionNames, describe } from '../options.ts'
import type { OnError } from '../reporter.ts'
import { checkWaitReplicas } from './replicas.ts'
import type { Serializer } from './serializer.ts'

/** How a {@link RedisCache} behaves. */
export interface RedisCacheOptions {
  /** Time to live of a `set` that names none. A bare number is seconds. @default 300 */
  readonly defaultTtl?: Ttl | undefined
  /** Put before every key of a value. Caches with different prefixes do not see each other. @default 'relaycache:' */
  readonly valuePrefix?: string | undefined
  /** Put before every key of a tag. Caches with the same one share their tags. @default `${valuePrefix}meta:` */
  readonly metaPrefix?: string | undefined
  /** How long a read or a write may take before the call goes on without Redis. @default '50ms' */
  readonly deadline?: Duration | undefined
  /** How long an invalidation may take before it rejects. @default '2s' */
  readonly invalidateDeadline?: Duration | undefined
  /**
   * How many replicas of each master must have an invalidation before it is confirmed: an integer from 0 to 16. That makes
   * it less likely, and not impossible, that a failover loses one. @default 0
   */
  readonly waitReplicas?: number | undefined
  /**
   * How values become text or bytes. What another one stored is a miss.
   * @default JSON, with the types that it lacks
   */
  readonly serializer?: Serializer | undefined
  /**
   * Values with more bytes than this are stored compressed (Brotli), unless that saves nothing or they have more than
   * 64 MiB. An integer of at least 0, or Infinity for never. Caches with other settings can read them.
   * @default Infinity
   */
  readonly compressAbove?: number | undefined
  /** Called with failures of Redis and values that cannot be stored. @default one process warning for each kind */
  readonly onError?: OnError | undefined
}

const OPTION_NAMES = [
  'defaultTtl',
  'valuePrefix',
  'metaPrefix',
  'deadline',
  'invalidateDeadline',
  'waitReplicas',
  'serializer',
  'compressAbove',
  'onError',
] as const

/** What ioredis and other caches call it. */
const ALIASES = { keyPrefix: 'valuePrefix', prefix: 'valuePrefix' } as const

interface ResolvedRedisCacheOptions {
  readonly defaultTtlMs: number
  readonly valuePrefix: string
  readonly metaPrefix: string
  readonly deadlineMs: number
  readonly invalidateDeadlineMs: number
  readonly waitReplicas: number
}

/** Checks the options and fills in what was left out; those of the format and of errors are left to others. */
export function resolveRedisCacheOptions(options: RedisCacheOptions): ResolvedRedisCacheOptions {
  checkOptionNames('RedisCache', options, OPTION_NAMES, ALIASES)
  const {
    defaultTtl = 300,
    valuePrefix = 'relaycache:',
    metaPrefix = `${valuePrefix}meta:`,
    deadline = '50ms',
    invalidateDeadline = '2s',
    waitReplicas = 0,
  } = options
  checkText('valuePrefix', valuePrefix)
  checkText('metaPrefix', metaPrefix)
  return {
    defaultTtlMs: ttlToMs('defaultTtl', defaultTtl),
    valuePrefix,
    metaPrefix,
    deadlineMs: durationToMs('deadline', deadline),
    invalidateDeadlineMs: durationToMs('invalidateDeadline', invalidateDeadline),
    waitReplicas: checkWaitReplicas(waitReplicas),
  }
}

function checkText(option: string, value: unknown): void {
  if (typeof value !== 'string')
    throw new TypeError(`Expected ${option} to be a string, got ${describe(value)}`)
}
