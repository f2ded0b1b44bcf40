export { instrumentCaches } from './instrument-caches.ts'
export type { Instrumentation, InstrumentCachesOptions } from './instrument-caches.ts'
export { traced } from './traced.ts'
export type { TracedOptions } from './traced.ts'
