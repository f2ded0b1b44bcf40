/** The books of the demo: made up, so that they belong to nobody. */
export const genreNames = ['Adventure', 'Essays', 'Fantasy', 'Mystery', 'Poetry', 'Science']

export const publisherRows = [
  { name: 'Lantern & Quay', country: 'Ireland' },
  { name: 'Nordlys Forlag', country: 'Norway' },
  { name: 'Ediciones Alcor', country: 'Spain' },
  { name: 'Paper Harbour', country: 'Canada' },
  { name: 'Kawa Books', country: 'Japan' },
]

interface SeedBook {
  readonly title: string
  /** The first is the book's author. */
  readonly authors: readonly string[]
  readonly genres: readonly string[]
  readonly year: number
  readonly featured?: boolean
}

const book = (title: string, authors: string, genres: string, year: number, featured = false): SeedBook => ({
  title,
  authors: authors.split(', '),
  genres: genres.split(', '),
  year,
  featured,
})

export const seedBooks: readonly SeedBook[] = [
  book('The Cartographer of Small Rooms', 'Ines Valdemar', 'Mystery', 2019, true),
  book('Salt, Rope, Lantern', 'Tomas Okonjo', 'Adventure', 2008, true),
  book('A Grammar of Tides', 'Maren Lysholm', 'Poetry', 2015, true),
  book('Eleven Ways to Count a Crowd', 'Priya Raman, Joon Takeda', 'Science, Essays', 2021, true),
  book('The Hour Keeper', 'Elias Brandt', 'Fantasy', 2003, true),
  book('Letters to a Slow Machine', 'Joon Takeda', 'Essays', 2024, true),
  book('The Orchard Below the Ice', 'Maren Lysholm', 'Fantasy, Adventure', 2011, true),
  book('What the Lighthouse Heard', 'Tomas Okonjo', 'Mystery, Adventure', 2016),
  book('Nine Locks', 'Ines Valdemar', 'Mystery', 2022, true),
  book('The Weight of a Second', 'Priya Raman', 'Science', 2018),
  book('Field Notes on Silence', 'Amara Dlamini', 'Essays, Poetry', 2020),
  book('The Glassblower and the Comet', 'Elias Brandt, Sofia Marchetti', 'Fantasy', 2009),
  book('Ferry Songs', 'Sofia Marchetti', 'Poetry', 1998),
  book('The Last Semaphore', 'Tomas Okonjo', 'Adventure', 2012),
  book('A Short Walk to the Edge of the Map', 'Amara Dlamini', 'Adventure, Essays', 2023),
  book('The Mathematics of Bread', 'Priya Raman, Henri Aubert', 'Science', 2014, true),
  book('The Second Violin', 'Henri Aubert', 'Mystery', 2006),
  book('Under the Bell Tower', 'Ines Valdemar', 'Mystery', 2010),
  book('Rain Ledger', 'Maren Lysholm', 'Poetry', 2017),
  book('On Keeping a Garden in Winter', 'Amara Dlamini', 'Essays', 2013),
  book('The Clockmaker Who Lost a Day', 'Elias Brandt', 'Fantasy, Mystery', 2005),
  book('Atlas of Ordinary Stars', 'Joon Takeda', 'Science', 2019),
  book('Three Bridges', 'Sofia Marchetti', 'Adventure', 2001),
  book('Conversations with a River', 'Amara Dlamini, Maren Lysholm', 'Poetry, Essays', 2024, true),
  book('The Quiet Fleet', 'Tomas Okonjo', 'Adventure', 2020),
  book('The Baker Street Irregular Verbs', 'Henri Aubert', 'Essays', 2015),
  book('The Paper Dragon', 'Elias Brandt', 'Fantasy', 2017),
  book('How Bees Vote', 'Priya Raman', 'Science', 2022),
  book('A Map Drawn from Memory', 'Ines Valdemar', 'Mystery, Adventure', 2024),
  book('Small Hours', 'Sofia Marchetti', 'Poetry', 2007),
  book('The Archive of Unsent Mail', 'Henri Aubert', 'Mystery', 2018),
  book('Gravity for Beginners', 'Joon Takeda', 'Science', 2010),
  book('The Winter Regatta', 'Tomas Okonjo', 'Adventure', 2014),
  book('House of the Nine Winds', 'Elias Brandt', 'Fantasy', 2021),
  book('The Language of Lichens', 'Maren Lysholm, Priya Raman', 'Science, Poetry', 2023),
  book('Notes Toward an Unfinished Bridge', 'Amara Dlamini', 'Essays', 2009),
]

const reviewers = ['Bea', 'Callum', 'Dara', 'Emil', 'Farah', 'Gus', 'Hana', 'Ivo']
const opinions = [
  'Read it in one sitting, then read the last chapter again.',
  'Slow at first, and then I missed my stop.',
  'I have given away three copies already.',
  'Not what the cover promises. Better.',
  'The middle sags, but the ending is worth the walk.',
  'My book club argued about it for two evenings.',
  'Beautifully made sentences, and a plot that trusts you.',
]

/** Two to four reviews of the book at a place in the list; the same at every seeding. */
export function reviewsOf(index: number): { reviewer: string; rating: number; body: string }[] {
  return Array.from({ length: 2 + (index % 3) }, (_, i) => ({
    reviewer: reviewers[(index * 3 + i) % reviewers.length] ?? '',
    rating: 3 + ((index + i * 2) % 3),
    body: opinions[(index * 5 + i * 3) % opinions.length] ?? '',
  }))
}

/** An ISBN-13 with a right check digit, in a range that no publisher has. */
export function isbnOf(index: number): string {
  const digits = `97899999${String(index).padStart(4, '0')}`
  const sum = Array.from(digits).reduce((total, digit, i) => total + Number(digit) * (i % 2 === 0 ? 1 : 3), 0)
  return digits + String((10 - (sum % 10)) % 10)
}
