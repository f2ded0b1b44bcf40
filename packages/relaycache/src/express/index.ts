export { cacheView } from './cache-view.ts'
export type { CacheViewOptions } from '../http/view-options.ts'
