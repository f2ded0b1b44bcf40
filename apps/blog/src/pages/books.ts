import type { FastifyInstance } from 'fastify'
import { NotFoundError } from '../services/not-found.ts'
import { page, type PageContext } from './page.ts'

/** Beyond any list of books: asks for its last page. */
const LAST_PAGE = 1_000_000
const MAX_ID = 2 ** 31 - 1

/** `/books/`, `/books/genre/:slug/` and `/books/:id`. */
export function bookPages(app: FastifyInstance, context: PageContext): void {
  const { books } = context.site

  page(app, '/books/', context, async (trace, { query }) => {
    const [list, genres] = await Promise.all([
      trace.cached(books.listBooks, pageNumber(query.page)),
      trace.cached(books.listGenres),
    ])
    return { view: 'books', title: 'Books', data: { ...list, genres } }
  })

  page(app, '/books/genre/:slug/', context, async (trace, { params: { slug = '' } }) => {
    const top = await trace.cached(books.getBooksTop, slug)
    const others = await trace.cached(books.getBooksAllExcept, slug)
    return { view: 'genre', title: top.genre.name, data: { genre: top.genre, top: top.books, others } }
  })

  page(app, '/books/:id', context, async (trace, { params: { id = '' } }) => {
    if (!/^[1-9]\d{0,9}$/.test(id) || Number(id) > MAX_ID) throw new NotFoundError()
    const book = await trace.cached(books.getBookDetails, Number(id))
    return { view: 'book', title: book.title, data: { book, status: trace.status } }
  })
}

/** As lenient as Django's `get_page`: what is no number means the first page, a number below 1 the last. */
function pageNumber(text: string | undefined): number {
  const number = Number(text ?? 1)
  if (!Number.isSafeInteger(number)) return 1
  return number < 1 ? LAST_PAGE : Math.min(number, LAST_PAGE)
}
