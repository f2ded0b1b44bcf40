import { BaseCommand, CommandError, type Arguments } from '@outrider/command-kit'
import { readRedisStats } from '../redis-stats.ts'
import type { Site } from '../site.ts'

export class CacheStats extends BaseCommand<Site> {
  static override help = 'Cache usage statistics: of Redis, and of each process of the site that runs'

  addCommandArguments(p: Arguments) {
    return p
  }

  async handleCommand(): Promise<void> {
    const { cache } = this.context
    if (cache.redis) {
      const stats = await readRedisStats(cache.redis).catch((cause: unknown) => {
        throw new CommandError('Redis does not answer', { cause })
      })
      this.stdout.write(`Redis memory used: ${stats.usedMemory}`)
      this.stdout.write(`Total keys: ${stats.totalKeys}`)
      this.stdout.write(`Book-related keys: ${stats.bookKeys}`)
      const { activeKeys, totalTags } = await cache.backend.stats()
      this.stdout.write(`Cached values: about ${activeKeys ?? '?'}, with about ${totalTags ?? '?'} tags`)
    }
    const reports = await this.context.askCaches()
    for (const { pid, stats } of reports) {
      const { activeKeys, totalTags, hits, misses, coalesced, approximate } = stats
      const held = approximate ? 'in Redis' : `${activeKeys} values with ${totalTags} tags in memory`
      this.stdout.write(`Process ${pid}: ${held}; ${hits} hits, ${misses} misses, ${coalesced} coalesced`)
    }
    if (reports.length === 0) this.stdout.write('No process of the site runs')
  }
}
