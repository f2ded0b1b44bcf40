import { integer, pgTable, text, varchar } from 'drizzle-orm/pg-core'
import { baseColumns } from './base-columns.ts'

export const posts = pgTable('posts', {
  id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
  slug: varchar('slug', { length: 100 }).notNull().unique(),
  title: varchar('title', { length: 200 }).notNull(),
  /** Markdown, as it was written. */
  body: text('body').notNull(),
  /** Made from `body` when the post is saved, and safe to show. */
  bodyHtml: text('body_html').notNull(),
  viewCount: integer('view_count').notNull().default(0),
  author: varchar('author', { length: 100 }).notNull(),
  ...baseColumns,
})
