/** The posts of the demo: a tour of what it is made of. */
export const seedPosts = [
  {
    slug: 'a-tour-in-two-minutes',
    title: 'A tour in two minutes',
    author: 'The Outrider authors',
    body: `Open [a book](/books/1), then load it again. At the foot of the page, **How it works** says MISS the first time
and HIT the second: the book came from PostgreSQL, then from memory.

1. [The books](/books/) are listed twenty to a page. Each list is cached under the tag \`book_listings\`.
2. A [genre](/books/genre/mystery/) shows its featured books, and some of everything else. That page is kept as a whole:
   from the second time on, its \`X-Cache\` header says HIT, and a browser that has it gets a 304.
3. [Search](/search?q=map) twice, and the second answer comes from the cache.
4. Run \`npx pnpm manage import_books\` with a file of books in another terminal. The lists change at once, because the
   import invalidates their tag. The book you looked at stays cached, because nothing about it changed.

Nothing was installed for this: a real PostgreSQL runs beside the site, and ends with it.`,
  },
  {
    slug: 'writes-that-do-not-wait',
    title: 'Writes that do not wait',
    author: 'The Outrider authors',
    body: `Every page you open is logged. The request does not wait for the disk: the row goes to a thread that owns the
SQLite file, together with the rows of all other requests of the moment, and they share one commit.

> Acknowledged means committed. A failing neighbour never takes your row with it.

That is \`sqlite-worker\`. The first line at the foot of this page is its work.`,
  },
  {
    slug: 'once-it-is-invalid-it-is-gone',
    title: 'Once it is invalid, it is gone',
    author: 'The Outrider authors',
    body: `Most caches can hand you a value that was computed *before* you invalidated it, if the computation was still
running. \`relaycache\` cannot: a value carries the tokens of its tags from the moment its computation began, and is
served only while they are current.

\`\`\`ts
await invalidate({ tags: ['book:1'] })
\`\`\`

From here on nobody gets the old book.`,
  },
  {
    slug: 'a-database-behind-a-url',
    title: 'A database behind a URL',
    author: 'The Outrider authors',
    body: `The site reaches its books over HTTP, through Drizzle, with real transactions. PhantomDB is a gateway in front
of PostgreSQL: an embedded one here, yours when you set \`DATABASE_URL\`.

When one machine is too small, nothing in the code changes.`,
  },
] as const
