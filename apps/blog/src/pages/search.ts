import type { FastifyInstance } from 'fastify'
import { textOf, type QueryValue } from './address.ts'
import { page, type PageContext } from './page.ts'

interface SearchRoute {
  readonly Querystring: { readonly q?: QueryValue; readonly genre?: QueryValue }
}

/** `/search` and `/api/books/search`, both with `?q=&genre=`. */
export function searchPages(app: FastifyInstance, context: PageContext): void {
  const { books, search } = context.site

  page(app, '/search', context, async (trace, { query }) => {
    const [text, genre] = [textOf(query['q']), textOf(query['genre'])]
    const genres = await trace.cached(books.listGenres)
    const found = text === undefined ? undefined : await trace.cached(search.searchBooks, text, genre)
    return { view: 'search', title: 'Search', data: { text, genre, genres, found, status: trace.status } }
  })

  app.get<SearchRoute>('/api/books/search', async ({ query }, reply) => {
    const text = textOf(query.q)
    if (text === undefined) return reply.code(400).send({ error: 'Query parameter required' })
    const { value, status } = await search.searchBooks.lookup(text, textOf(query.genre))
    return reply.header('x-cache', status.toUpperCase()).send({
      books: value.map(({ id, title, author, isbn, publicationDate }) => ({
        id,
        title,
        author,
        isbn,
        publication_date: publicationDate,
      })),
    })
  })
}
