import { expect, it } from 'vitest'
import { News } from '../src/tiered/news.ts'

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `name:${index}`)

it('news of 10 000 names are told apart', () => {
  const news = new News()
  news.add(names(10_000))
  expect(news.isAboutKey('name:9999', { since: 0 })).toBe(true)
  expect(news.isAboutKey('other', { since: 0 })).toBe(false)
})

it('news of more names are forgotten, and count as news about everything before', () => {
  const news = new News()
  news.add(names(10_000))
  const { order } = news
  news.add(['one more'])
  expect(news.isAboutKey('other', { since: order })).toBe(true)
  expect(news.isAboutAny(['other'], order)).toBe(true)
  expect(news.isAboutKey('one more', { since: news.order })).toBe(false)
  const later = news.order
  news.add(['after that'])
  expect(news.isAboutKey('after that', { since: later })).toBe(true)
  expect(news.isAboutKey('other', { since: later })).toBe(false)
})
