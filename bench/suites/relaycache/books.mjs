/** How many different books a case asks for. */
export const BOOKS = 1000

/** What the database would give: some 300 bytes of JSON. */
export function bookOf(id) {
  return {
    id,
    title: `Title of book ${id}`,
    author: { id: id % 100, name: `Author ${id % 100}` },
    year: 1900 + (id % 100),
    price: id / 7,
    genres: ['fiction', 'classic', 'science'],
    blurb: 'A book about a planet, a desert and those who live there. '.repeat(2),
  }
}

export const keyOf = (id) => `book:${id}`
export const tagsOf = (id) => [`book:${id}`, 'books']

/** The id that the caller of this number asks for: all of them in turn. */
export const idOf = (index) => (index * 7) % BOOKS

/**
 * A function that computes a book only until `filled()`: from then on every call must be a hit.
 *
 * @returns {{load: (id: number) => Promise<ReturnType<typeof bookOf>>, filled: () => void}}
 */
function database() {
  let complete = false
  return {
    load: async (id) => {
      if (complete) throw new Error(`Expected book ${id} to be cached`)
      return bookOf(id)
    },
    filled: () => (complete = true),
  }
}

/**
 * Asks for every book, twice: the second time all must be cached.
 *
 * @param {(load: (id: number) => Promise<unknown>) => (id: number) => unknown} wrap
 * @returns {Promise<(id: number) => Promise<{year: number}>>} the cached function
 */
export async function filledCache(wrap) {
  const { load, filled } = database()
  const getBook = wrap(load)
  for (let id = 0; id < BOOKS; id += 1) await getBook(id)
  filled()
  for (let id = 0; id < BOOKS; id += 1) {
    const { id: got } = await getBook(id)
    if (got !== id) throw new Error(`Expected book ${id}, got ${got}`)
  }
  return getBook
}
