import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { int, mysqlTable } from 'drizzle-orm/mysql-core'
import {
  foreignKey,
  integer,
  pgSchema,
  pgTable,
  primaryKey,
  serial,
  text,
  timestamp,
  unique,
  uniqueIndex,
  type AnyPgColumn,
} from 'drizzle-orm/pg-core'
import * as sqlite from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import {
  CycleError,
  getModelMeta,
  topologicalSortModels,
  UnsupportedError,
  type ColumnMeta,
} from '../src/index.ts'

const keysOf = (columns: readonly ColumnMeta[]) => columns.map(({ key }) => key)

describe('the metadata of a table', () => {
  const shop = pgSchema('shop')
  const parents = shop.table(
    'parents',
    {
      x: integer('the_x').notNull(),
      y: integer().notNull(),
      code: text().unique(),
      made: timestamp().defaultNow().notNull(),
      touched: timestamp().$onUpdate(() => new Date()),
      upper: text().generatedAlwaysAs(sql`upper(code)`),
    },
    (table) => [
      primaryKey({ columns: [table.y, table.x] }),
      unique().on(table.code, table.y),
      uniqueIndex().on(table.x),
      uniqueIndex()
        .on(table.y)
        .where(sql`y > 0`),
    ],
  )
  const children = pgTable(
    'children',
    {
      id: serial().primaryKey(),
      number: integer().generatedAlwaysAsIdentity(),
      px: integer(),
      py: integer().notNull(),
      selfId: integer().references((): AnyPgColumn => children.id, { onDelete: 'set null' }),
    },
    (table) => [
      foreignKey({ columns: [table.px, table.py], foreignColumns: [parents.x, parents.y] }).onUpdate(
        'cascade',
      ),
    ],
  )

  it('has names, keys, uniques and defaults', () => {
    const meta = getModelMeta(parents)
    expect(meta).toMatchObject({ dialect: 'postgres', name: 'parents', schema: 'shop' })
    expect(keysOf(meta.columns)).toEqual(['x', 'y', 'code', 'made', 'touched', 'upper'])
    expect(meta.columns[0]).toMatchObject({ key: 'x', name: 'the_x', sqlType: 'integer', isNotNull: true })
    expect(keysOf(meta.primaryKey)).toEqual(['y', 'x'])
    expect(meta.uniques.map(keysOf)).toEqual([['code'], ['code', 'y'], ['x']])
    const [, , , made, touched, upper] = meta.columns
    expect(made).toMatchObject({ hasDefault: true, isInsertable: true })
    expect(touched?.makeOnUpdate?.()).toBeInstanceOf(Date)
    expect(upper).toMatchObject({ generated: true, isInsertable: false })
  })

  it('has foreign keys with their actions', () => {
    const meta = getModelMeta(children)
    const [own, composite] = meta.foreignKeys
    expect(own).toMatchObject({
      foreignTable: children,
      foreignColumns: ['id'],
      onDelete: 'set null',
      onUpdate: 'no action',
    })
    expect(keysOf(composite?.columns ?? [])).toEqual(['px', 'py'])
    expect(composite).toMatchObject({
      foreignTable: parents,
      foreignColumns: ['x', 'y'],
      onUpdate: 'cascade',
      isNullable: true,
    })
    expect(meta.columns[1]).toMatchObject({ identity: 'always', isInsertable: false, hasDefault: true })
    expect(getModelMeta(children)).toBe(meta)
  })

  it('has the SQL names that a database gives', () => {
    const table = sqlite.sqliteTable('t', { createdAt: sqlite.integer() })
    const db = drizzle(new Database(':memory:'), { casing: 'snake_case' })
    expect(getModelMeta(table).columns[0]?.name).toBe('createdAt')
    expect(getModelMeta(table, db).columns[0]?.name).toBe('created_at')
  })

  it('is refused for tables of other databases', () => {
    expect(() => getModelMeta(mysqlTable('t', { id: int() }))).toThrow(UnsupportedError)
  })
})

describe('the order of tables', () => {
  const a = pgTable('a', { id: serial().primaryKey(), selfId: integer().references((): AnyPgColumn => a.id) })
  const b = pgTable('b', { id: serial().primaryKey(), aId: integer().references(() => a.id) })
  const c = pgTable('c', {
    id: serial().primaryKey(),
    bId: integer()
      .notNull()
      .references(() => b.id),
  })

  it('puts parents first, and keeps the order otherwise', () => {
    expect(topologicalSortModels([c, b, a])).toEqual([a, b, c])
    expect(topologicalSortModels(new Set([c, a]))).toEqual([c, a])
    expect(topologicalSortModels([])).toEqual([])
  })

  it('breaks a circle at a foreign key that may be null, and nowhere else', () => {
    const users = pgTable('users', {
      id: serial().primaryKey(),
      favouriteId: integer().references((): AnyPgColumn => posts.id),
    })
    const posts = pgTable('posts', {
      id: serial().primaryKey(),
      userId: integer()
        .notNull()
        .references(() => users.id),
    })
    const logs = pgTable('logs', { id: serial().primaryKey(), postId: integer().references(() => posts.id) })
    expect(topologicalSortModels([logs, posts, users])).toEqual([users, posts, logs])
  })

  it('names the circle and what would have to be nullable', () => {
    const x = pgTable('x', {
      id: serial().primaryKey(),
      y: integer('y_id')
        .notNull()
        .references((): AnyPgColumn => y.id),
    })
    const y = pgTable('y', {
      id: serial().primaryKey(),
      x: integer('x_id')
        .notNull()
        .references(() => x.id),
    })
    const leaf = pgTable('leaf', {
      id: serial().primaryKey(),
      x: integer()
        .notNull()
        .references(() => x.id),
    })
    const sort = () => topologicalSortModels([leaf, a, x, y])
    expect(sort).toThrow(CycleError)
    expect(sort).toThrow(
      expect.objectContaining({ path: ['x', 'y', 'x'], foreignKeys: ['x(y_id)', 'y(x_id)'] }),
    )
  })
})
