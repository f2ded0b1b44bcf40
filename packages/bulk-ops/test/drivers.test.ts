import { describeWith } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzleMysql } from 'drizzle-orm/mysql-proxy'
import { drizzle as drizzlePgProxy } from 'drizzle-orm/pg-proxy'
import { describe, expect, it } from 'vitest'
import { AtomicityError, bulkCreateInSteps, UnsupportedError } from '../src/index.ts'
import { openPgProxy } from './backends.ts'
import { authors } from './pg-schema.ts'

describe('a driver without transactions', () => {
  it('is refused before anything is written', async () => {
    const sent: string[] = []
    const db = drizzlePgProxy(async (sql) => {
      sent.push(sql)
      return { rows: [] }
    })
    const call = bulkCreateInSteps(db, authors, [{ name: 'a' }])
    await expect(call).rejects.toThrow(AtomicityError)
    await expect(call).rejects.toMatchObject({ code: 'ERR_ATOMICITY', driver: 'PgRemoteSession' })
    expect(sent).toEqual([])
  })

  describeWith('postgres', 'with atomic: false', () => {
    it('writes chunk by chunk, and keeps those before a failing one', async () => {
      const backend = await openPgProxy()
      const rows = ['a', 'b', 'c', 'a', 'e'].map((name) => ({ name }))
      const made = await bulkCreateInSteps(backend.db, authors, rows.slice(0, 2), { atomic: false })
      expect(made.map(({ name, age }) => [name, age])).toEqual([
        ['a', 18],
        ['b', 18],
      ])
      const call = bulkCreateInSteps(backend.db, authors, rows.slice(2), { atomic: false, step: 1 })
      await expect(call).rejects.toMatchObject({
        chunk: 1,
        rowIndex: 1,
        row: { name: 'a' },
        committedChunks: 1,
      })
      expect((await backend.read(authors)).map(({ name }) => name)).toEqual(['a', 'b', 'c'])
      await backend.close()
    })
  })
})

it('refuses databases and tables that do not fit', async () => {
  const sqlite = drizzle(new Database(':memory:'))
  await expect(bulkCreateInSteps(sqlite, authors, [])).rejects.toThrow(UnsupportedError)
  const mysql = drizzleMysql(async () => ({ rows: [] }))
  await expect(bulkCreateInSteps(mysql, authors, [])).rejects.toThrow(UnsupportedError)
})
