// relaycache against the tagged caches of others, and against a Map and Redis itself. The cases are in the folder of the
// same name.
import { versionOf } from '../lib/ours.mjs'
import { defineSuite } from '../lib/suite.mjs'
import { failureCases } from './relaycache/failure-cases.mjs'
import { invalidateCases } from './relaycache/invalidate-cases.mjs'
import { memoryCases } from './relaycache/memory-cases.mjs'
import { memoryHitCases } from './relaycache/memory-hit-cases.mjs'
import { redisHitCases } from './relaycache/redis-hit-cases.mjs'
import { stampedeCases } from './relaycache/stampede-cases.mjs'
import { tieredCases } from './relaycache/tiered-cases.mjs'

const peers = ['bentocache', 'cacheable', 'cache-manager', '@epic-web/cachified', '@keyv/redis', 'ioredis']

export const suite = defineSuite({
  name: 'relaycache',
  versions: Object.fromEntries(peers.map((name) => [name, versionOf(name)])),
  cases: [
    ...memoryHitCases,
    ...redisHitCases,
    ...tieredCases,
    ...invalidateCases,
    ...stampedeCases,
    ...failureCases,
    ...memoryCases,
  ],
})
