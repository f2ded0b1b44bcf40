export { RelayDrizzleCache, relayDrizzleCache } from './relay-drizzle-cache.ts'
export type { RelayDrizzleCacheOptions } from './options.ts'
