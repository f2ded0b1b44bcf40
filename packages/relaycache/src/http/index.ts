export { cacheView } from './cache-view.ts'
export type { CacheViewOptions } from './view-options.ts'
