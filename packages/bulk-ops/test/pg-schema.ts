import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  customType,
  doublePrecision,
  integer,
  json,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  serial,
  text,
  timestamp,
  varchar,
  type AnyPgColumn,
} from 'drizzle-orm/pg-core'

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/** The tables of the contract suite. They exist for SQLite with the same types of rows. */
export const authors = pgTable('authors', {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: text().notNull().unique(),
  age: integer().default(18),
})

export const books = pgTable('books', {
  id: serial().primaryKey(),
  title: text().notNull(),
  isbn: varchar({ length: 13 }).unique(),
  authorId: integer('author_id')
    .notNull()
    .references(() => authors.id, { onDelete: 'cascade' }),
})

export const reviews = pgTable('reviews', {
  id: serial().primaryKey(),
  stars: integer().notNull(),
  bookId: integer('book_id')
    .notNull()
    .references(() => books.id),
})

export const nodes = pgTable('nodes', {
  id: serial().primaryKey(),
  name: text().notNull(),
  parentId: integer('parent_id').references((): AnyPgColumn => nodes.id),
})

export const values = pgTable('values', {
  id: serial().primaryKey(),
  flag: boolean(),
  at: timestamp({ withTimezone: true }),
  data: jsonb().$type<unknown>(),
  raw: json().$type<unknown>(),
  price: numeric({ precision: 10, scale: 2 }),
  score: doublePrecision(),
  big: bigint({ mode: 'bigint' }),
  bytes: bytea(),
  short: varchar({ length: 5 }),
  note: text(),
})

export const defaults = pgTable('defaults', {
  id: serial().primaryKey(),
  literal: integer().default(7),
  expression: text().default(sql`'a' || 'b'`),
  nullable: text(),
  made: text().$defaultFn(() => 'made'),
  touched: text().$onUpdate(() => 'touched'),
})

export const settings = pgTable(
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
  'create table authors (id int generated always as identity primary key, name text not null unique, age int default 18)',
  `create table books (id serial primary key, title text not null, isbn varchar(13) unique,
    author_id int not null references authors(id) on delete cascade)`,
  'create table reviews (id serial primary key, stars int not null check (stars < 6), book_id int not null references books(id))',
  'create table nodes (id serial primary key, name text not null, parent_id int references nodes(id))',
  `create table "values" (id serial primary key, flag boolean, at timestamptz, data jsonb, raw json, price numeric(10, 2),
    score double precision, big bigint, bytes bytea, short varchar(5), note text)`,
  `create table defaults (id serial primary key, literal int default 7, expression text default 'a' || 'b',
    nullable text, made text, touched text)`,
  'create table settings (app text, key text, value text, changed text, primary key (app, key))',
]
