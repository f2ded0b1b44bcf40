import type { Engine } from './engine.ts'

/** A PostgreSQL that somebody else runs. */
export function useExternal(url: string): Engine {
  return { kind: 'external', url, adopted: false, async release() {} }
}
