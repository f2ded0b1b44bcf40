import { describe, expect, it } from 'vitest'
import { InMemoryCache, prometheusText, type CacheBackend } from '../src/index.ts'

describe('prometheusText', () => {
  it('gives each metric once, with the samples of every backend', async () => {
    const books = new InMemoryCache()
    await books.set('a', 1)
    await books.get('a')
    await books.get('b')
    const shared: CacheBackend = Object.assign(new InMemoryCache(), { breaker: 'open' as const })
    shared.counters.coalesced = 7
    shared.counters.errors = 3
    expect(prometheusText({ books, shared })).toBe(`\
# HELP relaycache_lookups_total Lookups by what came of them.
# TYPE relaycache_lookups_total counter
relaycache_lookups_total{backend="books",status="hit"} 1
relaycache_lookups_total{backend="books",status="miss"} 1
relaycache_lookups_total{backend="books",status="coalesced"} 0
relaycache_lookups_total{backend="shared",status="hit"} 0
relaycache_lookups_total{backend="shared",status="miss"} 0
relaycache_lookups_total{backend="shared",status="coalesced"} 7
# HELP relaycache_errors_total Operations of the backend that failed or were late.
# TYPE relaycache_errors_total counter
relaycache_errors_total{backend="books"} 0
relaycache_errors_total{backend="shared"} 3
# HELP relaycache_breaker_state The state of the circuit breaker: 1 for the current one, else 0.
# TYPE relaycache_breaker_state gauge
relaycache_breaker_state{backend="shared",state="closed"} 0
relaycache_breaker_state{backend="shared",state="open"} 1
relaycache_breaker_state{backend="shared",state="half-open"} 0
`)
  })

  it('escapes names', () => {
    const text = prometheusText({ 'a"b\\c\nd': new InMemoryCache() })
    expect(text).toContain('relaycache_errors_total{backend="a\\"b\\\\c\\nd"} 0\n')
  })

  it('is empty without backends, and takes nothing else for one', () => {
    expect(prometheusText({})).toBe('')
    expect(() => prometheusText({ books: {} as CacheBackend })).toThrow('Expected backend to be a cache')
  })
})
