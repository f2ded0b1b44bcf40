export { cacheView } from './cache-view.ts'
export type { CachedRoute, ViewHooks } from './cache-view.ts'
export type { ViewReply, ViewRequest } from './exchange.ts'
export type { CacheViewOptions } from '../http/view-options.ts'
