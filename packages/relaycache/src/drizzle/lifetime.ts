import type { CacheConfig } from 'drizzle-orm/cache/core/types'

/** The milliseconds that a query asks to be cached for; may be negative. `undefined` when it does not say. */
export function lifetimeMs({ ex, px, exat, pxat }: CacheConfig = {}): number | undefined {
  if (px !== undefined) return px
  if (ex !== undefined) return ex * 1000
  if (pxat !== undefined) return pxat - Date.now()
  if (exat !== undefined) return exat * 1000 - Date.now()
  return undefined
}
