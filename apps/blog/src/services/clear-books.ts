/** Takes what is known of books out of the cache, in every process; for changes that the site does not make itself. */
export interface BookClearing {
  /** One book. */
  clearBookCache(id: number): Promise<void>
  /** Every book, list and search; not the statistics. */
  clearAllBookCache(): Promise<void>
  /** The page of a genre. */
  clearBooksByGenre(slug: string): Promise<void>
  clearBookStats(): Promise<void>
}

export function createBookClearing(invalidate: (tags: readonly string[]) => Promise<void>): BookClearing {
  return {
    clearBookCache: (id) => invalidate([`book:${id}`]),
    clearAllBookCache: () => invalidate(['books']),
    clearBooksByGenre: (slug) => invalidate([`books_top:${slug}`, `books_all:${slug}`]),
    clearBookStats: () => invalidate(['book_stats', 'analytics']),
  }
}
