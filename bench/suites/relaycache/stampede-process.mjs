// One of several processes that ask for the same values at once. Arguments: the contender, and the port of Redis.
import { on } from 'node:events'
import { ours } from '../../lib/ours.mjs'
import { tagsOf } from './books.mjs'
import { openBentocache, openCacheable, openCacheManager } from './redis-peers.mjs'
import { connect } from './redis-server.mjs'
import { stampeding } from './stampeding.mjs'

const contenders = {
  ours: openOurs,
  bentocache: openBentocache,
  cacheable: openCacheable,
  'cache-manager': openCacheManager,
}

async function openOurs(server) {
  const { cache } = await ours('relaycache')
  const { RedisCache } = await ours('relaycache/redis')
  const backend = new RedisCache(await connect(server), { deadline: '10s' })
  return {
    wrap: (load) =>
      cache({ ttl: '1h', backend, key: 'book', tags: tagsOf, distributedSingleflight: true }, load),
  }
}

const [contender, port] = process.argv.slice(2)
const { wrap } = await contenders[contender]({ port: Number(port), url: `redis://127.0.0.1:${port}` })
const stampede = stampeding(wrap)
process.send('ready')
for await (const _ of on(process, 'message')) process.send(await stampede())
