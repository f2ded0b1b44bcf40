import type { FastifyInstance } from 'fastify'
import { NotFoundError } from '../services/not-found.ts'
import { pageOf, slugOf, textOf } from './address.ts'
import { page, type PageCaching, type PageContext } from './page.ts'

const MAX_ID = 2 ** 31 - 1

/** Everything that is on the page of a genre; kept as a whole, it needs the tags of all its parts. */
const genreCaching: PageCaching = {
  ttl: '30m',
  keyFunc: ({ params }) => `book_list:${params['slug']}`,
  tags: ({ params: { slug } }) => [
    `book_page:${slug}`,
    'book_pages',
    `books_top:${slug}`,
    `books_all:${slug}`,
    'books',
    'book_listings',
  ],
}

/** `/books/?page=&genre=`, `/books/genre/:slug/`, `/books/stats` and `/books/:id`. */
export function bookPages(app: FastifyInstance, context: PageContext): void {
  const { books } = context.site

  page(app, '/books/', context, async (trace, { query }) => {
    const genre = textOf(query['genre'])
    const [list, genres] = await Promise.all([
      trace.cached(books.getPaginatedBooks, pageOf(query['page']), genre),
      trace.cached(books.listGenres),
    ])
    return { view: 'books', title: 'Books', data: { ...list, genres, genre } }
  })

  page(
    app,
    '/books/genre/:slug/',
    context,
    async (trace, { params }) => {
      const slug = slugOf(params['slug'])
      const top = await trace.cached(books.getBooksTop, slug)
      const others = await trace.cached(books.getBooksAllExcept, slug)
      return { view: 'genre', title: top.genre.name, data: { genre: top.genre, top: top.books, others } }
    },
    genreCaching,
  )

  page(app, '/books/stats', context, async (trace) => {
    const statistics = await trace.cached(books.getBookStatistics)
    return { view: 'statistics', title: 'Statistics', data: { statistics, status: trace.status } }
  })

  page(app, '/books/:id', context, async (trace, { params: { id = '' } }) => {
    if (!/^[1-9]\d{0,9}$/.test(id) || Number(id) > MAX_ID) throw new NotFoundError()
    const book = await trace.cached(books.getBookDetails, Number(id))
    return { view: 'book', title: book.title, data: { book, status: trace.status } }
  })
}
