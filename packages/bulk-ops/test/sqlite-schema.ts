import { sql } from 'drizzle-orm'
import {
  blob,
  integer,
  numeric,
  primaryKey,
  real,
  sqliteTable,
  text,
  type AnySQLiteColumn,
} from 'drizzle-orm/sqlite-core'

export const authors = sqliteTable('authors', {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
  age: integer().default(18),
})

export const books = sqliteTable('books', {
  id: integer().primaryKey(),
  title: text().notNull(),
  isbn: text({ length: 13 }).unique(),
  authorId: integer('author_id')
    .notNull()
    .references(() => authors.id, { onDelete: 'cascade' }),
})

export const reviews = sqliteTable('reviews', {
  id: integer().primaryKey(),
  stars: integer().notNull(),
  bookId: integer('book_id')
    .notNull()
    .references(() => books.id),
})

export const nodes = sqliteTable('nodes', {
  id: integer().primaryKey(),
  name: text().notNull(),
  parentId: integer('parent_id').references((): AnySQLiteColumn => nodes.id),
})

export const values = sqliteTable('values', {
  id: integer().primaryKey(),
  flag: integer({ mode: 'boolean' }),
  at: integer({ mode: 'timestamp_ms' }),
  data: text({ mode: 'json' }).$type<unknown>(),
  raw: blob({ mode: 'json' }).$type<unknown>(),
  price: numeric(),
  score: real(),
  big: blob({ mode: 'bigint' }),
  bytes: blob({ mode: 'buffer' }),
  short: text({ length: 5 }),
  note: text(),
})

export const defaults = sqliteTable('defaults', {
  id: integer().primaryKey(),
  literal: integer().default(7),
  expression: text().default(sql`('a' || 'b')`),
  nullable: text(),
  made: text().$defaultFn(() => 'made'),
  touched: text().$onUpdate(() => 'touched'),
})

export const settings = sqliteTable(
  'settings',
  {
    app: text().notNull(),
    key: text().notNull(),
    value: text(),
    changed: text().$onUpdate(() => 'changed'),
  },
  (table) => [primaryKey({ columns: [table.app, table.key] })],
)

export const statements: readonly string[] = [
  'create table authors (id integer primary key, name text not null unique, age integer default 18)',
  `create table books (id integer primary key, title text not null, isbn text unique check (length(isbn) <= 13),
    author_id integer not null references authors(id) on delete cascade)`,
  'create table reviews (id integer primary key, stars integer not null check (stars < 6), book_id integer not null references books(id))',
  'create table nodes (id integer primary key, name text not null, parent_id integer references nodes(id))',
  `create table "values" (id integer primary key, flag integer, at integer, data text, raw blob, price numeric, score real,
    big blob, bytes blob, short text check (length(short) <= 5), note text)`,
  `create table defaults (id integer primary key, literal integer default 7, expression text default ('a' || 'b'),
    nullable text, made text, touched text)`,
  'create table settings (app text, key text, value text, changed text, primary key (app, key))',
]
