import { join } from 'node:path'
import { eventually, temporaryDirectory, type TemporaryDirectory } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { cache, invalidate } from '../src/index.ts'
import { describeEachBackend } from './each-backend.ts'
import { latch } from './latch.ts'

describeEachBackend('an invalidation and the transaction that changes the data', (create) => {
  let folder: TemporaryDirectory
  let writer: Database.Database
  let reader: Database.Database
  beforeEach(async () => {
    folder = await temporaryDirectory()
    const file = join(folder.path, 'books.db')
    writer = new Database(file)
    writer.pragma('journal_mode = WAL')
    writer.exec("create table books (title text); insert into books values ('Dune')")
    reader = new Database(file)
  })
  afterEach(async () => {
    reader.close()
    writer.close()
    await folder.remove()
  })

  /** The title that others see, cached. It is read at once and given when `hold` lets it. */
  function openShop() {
    const backend = create()
    const shop = { reads: 0, hold: Promise.resolve() }
    const getTitle = cache({ ttl: 60, backend, tags: ['books'] }, async function getTitle() {
      const title = reader.prepare('select title from books').pluck().get()
      shop.reads += 1
      await shop.hold
      return title
    })
    return { shop, getTitle, invalidateBooks: () => invalidate({ tags: ['books'], backend }) }
  }

  const begin = () => writer.exec("begin immediate; update books set title = 'Emma'")

  it('are in the safe order when the invalidation follows the commit, whatever was cached before', async () => {
    const { getTitle, invalidateBooks } = openShop()
    await getTitle()
    begin()
    expect(await getTitle.lookup()).toEqual({ value: 'Dune', status: 'hit' })
    writer.exec('commit')
    // Committed and not invalidated yet: the old title is still there.
    expect(await getTitle.lookup()).toEqual({ value: 'Dune', status: 'hit' })
    await invalidateBooks()
    expect(await getTitle.lookup()).toEqual({ value: 'Emma', status: 'miss' })
    expect(await getTitle.lookup()).toEqual({ value: 'Emma', status: 'hit' })
  })

  it('give no old value afterwards that was cached while the transaction was open', async () => {
    const { getTitle, invalidateBooks } = openShop()
    begin()
    expect(await getTitle.lookup()).toEqual({ value: 'Dune', status: 'miss' })
    writer.exec('commit')
    await invalidateBooks()
    expect(await getTitle.lookup()).toEqual({ value: 'Emma', status: 'miss' })
  })

  it('store no old value that was read before the commit and arrives after the invalidation', async () => {
    const { shop, getTitle, invalidateBooks } = openShop()
    const go = latch()
    shop.hold = go.opened
    begin()
    const older = getTitle()
    await eventually(() => shop.reads === 1)
    writer.exec('commit')
    await invalidateBooks()
    shop.hold = Promise.resolve()
    expect(await getTitle.lookup()).toEqual({ value: 'Emma', status: 'miss' })
    go.open()
    expect(await older).toBe('Dune')
    expect(await getTitle.lookup()).toEqual({ value: 'Emma', status: 'hit' })
  })

  it('store no old value while the invalidation is under way', async () => {
    const { shop, getTitle, invalidateBooks } = openShop()
    const go = latch()
    shop.hold = go.opened
    begin()
    const older = getTitle()
    await eventually(() => shop.reads === 1)
    writer.exec('commit')
    const invalidated = invalidateBooks()
    go.open()
    await Promise.all([older, invalidated])
    expect(await getTitle()).toBe('Emma')
  })

  it('are in the wrong order when the invalidation comes first: what others cache until the commit stays', async () => {
    const { shop, getTitle, invalidateBooks } = openShop()
    begin()
    await invalidateBooks()
    expect(await getTitle.lookup()).toEqual({ value: 'Dune', status: 'miss' })
    writer.exec('commit')
    expect(await getTitle.lookup()).toEqual({ value: 'Dune', status: 'hit' })
    expect(shop.reads).toBe(1)
    await invalidateBooks()
    expect(await getTitle.lookup()).toEqual({ value: 'Emma', status: 'miss' })
  })

  it('lose nothing but a computation when the transaction is rolled back', async () => {
    const { getTitle, invalidateBooks } = openShop()
    await getTitle()
    begin()
    writer.exec('rollback')
    await invalidateBooks()
    expect(await getTitle.lookup()).toEqual({ value: 'Dune', status: 'miss' })
    expect(await getTitle.lookup()).toEqual({ value: 'Dune', status: 'hit' })
  })
})
