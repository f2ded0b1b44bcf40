import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { callCommand, type CommandOptions } from '../src/index.ts'
import { loadPolars, type Frame } from '../src/import/index.ts'
import { header, ImportBooks, openLibrary, type Library } from './library.ts'
import { capture } from './streams.ts'

const goodbooks = [
  header,
  '1,2767052,439023483,Suzanne Collins,2008.0,"The Hunger Games (The Hunger Games, #1)",4.34,x',
  '2,3,439554934,"J.K. Rowling, Mary GrandPré",1997.0,"Harry Potter and the Sorcerer\'s Stone",4.44,x',
  '3,1381,,"Homer, Robert Fagles, Homer",-720.0,The Odyssey,3.73,x',
  '4,7613,014303295X,Suzanne Collins,, ""Animal"" ,,x'.replace(' ""Animal"" ', '" ""Animal"" "'),
  '',
].join('\n')

async function run(
  { folder, context }: Library,
  text: string | Buffer,
  {
    name = 'books.csv',
    Command = ImportBooks,
    ...options
  }: CommandOptions<ImportBooks> & Partial<{ name: string; Command: typeof ImportBooks }> = {},
) {
  const file = join(folder, name)
  await writeFile(file, text)
  const { stdout, stderr, out, err } = capture()
  const { result } = await callCommand(Command, { file, ...options }, { context, stdout, stderr })
  const rejects = result.rejectsFile === null ? '' : await readFile(result.rejectsFile, 'utf8')
  return { result, rejects: rejects.split('\n').slice(1, -1), out: out(), err: err() }
}

describe('an import', () => {
  it('reads, cleans and writes tables that refer to each other', async () => {
    await using library = await openLibrary()
    const { result, out } = await run(library, goodbooks)
    expect(result).toEqual({
      dryRun: false,
      read: 4,
      cleaned: 4,
      dropped: 0,
      rejected: 0,
      rejectsFile: null,
      tables: {
        authors: { created: 5, updated: 0, unchanged: 0 },
        books: { created: 4, updated: 0, unchanged: 0 },
        book_authors: { created: 6, updated: 0, unchanged: 0 },
      },
    })
    expect(out).toBe(
      [
        'rows: 4 read, 4 cleaned, 0 dropped, 0 rejected',
        'authors: 5 created, 0 updated, 0 unchanged',
        'books: 4 created, 0 updated, 0 unchanged',
        'book_authors: 6 created, 0 updated, 0 unchanged\n',
      ].join('\n'),
    )
    expect(
      library.query(
        'SELECT goodreads_book_id, isbn, year, rating, title, name FROM books JOIN authors a ON a.id = author_id ORDER BY books.id',
      ),
    ).toEqual([
      [2767052, '0439023483', 2008, 4.34, 'The Hunger Games (The Hunger Games, #1)', 'Suzanne Collins'],
      [3, '0439554934', 1997, 4.44, "Harry Potter and the Sorcerer's Stone", 'J.K. Rowling'],
      [1381, null, -720, 3.73, 'The Odyssey', 'Homer'],
      [7613, '014303295X', null, null, '"Animal"', 'Suzanne Collins'],
    ])
    expect(library.query("SELECT name FROM authors WHERE name LIKE 'Mary%'")).toEqual([['Mary GrandPré']])
    expect(existsSync(join(library.folder, 'books.csv.rejects.csv'))).toBe(false)
  })

  it('creates nothing the second time, and updates what has changed', async () => {
    await using library = await openLibrary()
    await run(library, goodbooks)
    expect((await run(library, goodbooks)).result.tables).toEqual({
      authors: { created: 0, updated: 0, unchanged: 5 },
      books: { created: 0, updated: 0, unchanged: 4 },
      book_authors: { created: 0, updated: 0, unchanged: 6 },
    })
    const { result } = await run(library, goodbooks.replace('4.34', '4.35'))
    expect(result.tables['books']).toEqual({ created: 0, updated: 1, unchanged: 3 })
    expect(library.query('SELECT rating FROM books WHERE id = 1')).toEqual([[4.35]])
  })

  it('works on empty input, with a header and without', async () => {
    await using library = await openLibrary()
    for (const text of ['', '\n', `${header}\n`, header]) {
      expect((await run(library, text)).result).toMatchObject({
        read: 0,
        cleaned: 0,
        rejected: 0,
        tables: {},
      })
    }
  })

  it('imports all other rows when values are bad, and names these', async () => {
    await using library = await openLibrary()
    const text = [
      header,
      '1,10,,A,1990,One,4.5,x',
      '2,eleven,,A,1991,Two,4.5,x',
      '3,12,,A,MCMXC,Three,high,x',
      '4,13,,A,1993, ,4.5,x',
      '5,9007199254740993,,A,1994,Five,4.5,x',
      '6,15,,A,1995,Six,NaN,x',
      '7,16,,A,1996,Seven,4.5,x',
    ].join('\n')
    const { result, rejects } = await run(library, text)
    expect(result).toMatchObject({ read: 7, cleaned: 2, rejected: 5 })
    expect(rejects).toEqual([
      '2,3,goodreadsBookId,dtype,"Expected an integer, got ""eleven"""',
      '3,4,rating,dtype,"Expected a float, got ""high"""',
      '5,6,goodreadsBookId,dtype,"Expected an integer, got ""9007199254740993"""',
      '4,5,title,no-null,Expected a value',
      '6,7,rating,nan,Expected a finite number',
    ])
    expect(library.query('SELECT title FROM books ORDER BY id')).toEqual([['One'], ['Seven']])
  })

  it('rejects ragged rows, wrong quotes and bytes that are no UTF-8, with their lines', async () => {
    await using library = await openLibrary()
    const text = Buffer.concat([
      Buffer.from(
        `\uFEFF${header}\r\n\r\n1,10,,A,1990,"One\r\nand a half",4.5,x\r\n2,11,,A,1991,Two,4.5\r\n`,
      ),
      Buffer.from(
        '3,12,,A,1992,"Three"s,4.5,x\r\n4,13,,A,1993,Four 4",4.5,x\r\n5,14,,A,1994,"Five"5",4.5,x\r\n',
      ),
      Buffer.from('6,15,,A,1995,Caf\xe9,4.5,x\r\n', 'latin1'),
      Buffer.from(
        '7,16,,A,1996,Seven,4.5,x,y\r\n8,17,,A,1997,Café \uFFFD,4.5,x\r\n9,18,,A,1998,"unclosed,4.5,x\r\n10,19,,A,1999,Ten,4.5,x',
      ),
    ])
    const { result, rejects } = await run(library, text)
    expect(rejects.map((line) => line.split(',').slice(0, 4).join())).toEqual([
      '2,5,,columns',
      '3,6,,quotes',
      '4,7,,quotes',
      '5,8,,quotes',
      '6,9,,encoding',
      '7,10,,columns',
      '8,11,,encoding',
      '9,12,,quotes',
    ])
    expect(result).toMatchObject({ read: 10, cleaned: 2, rejected: 8 })
    expect(library.query('SELECT title FROM books ORDER BY id')).toEqual([['One\r\nand a half'], ['Ten']])
  })

  it('keeps a replacement character that is in the file', async () => {
    await using library = await openLibrary()
    const { result } = await run(library, `${header}\n1,10,,A,1990,\uFFFD,4.5,x\n`)
    expect(result).toMatchObject({ cleaned: 1, rejected: 0 })
  })

  it('refuses a wrong header before anything is imported', async () => {
    await using library = await openLibrary()
    await expect(
      run(library, 'goodreads_book_id,titel,authors,isbn,average_rating\n1,a,b,c,1'),
    ).rejects.toMatchObject({
      message: expect.stringMatching(
        /^Wrong header of .*books\.csv: missing: title, original_publication_year or year; unexpected: titel$/,
      ),
      exitCode: 1,
    })
    await expect(run(library, `${header},title\n`)).rejects.toThrow(/: title is there twice$/)
    await expect(run(library, `"${header}\n1`)).rejects.toThrow(/Wrong header of .*: Quote Not Closed/)
    await expect(run(library, Buffer.from(`\uFEFF${header}`, 'utf16le'))).rejects.toThrow(
      'The text is UTF-16',
    )
    expect(library.query('SELECT * FROM books')).toEqual([])
  })

  it('accepts another name of a column, columns in any order, and others besides', async () => {
    await using library = await openLibrary()
    const { result } = await run(
      library,
      'year,title, average_rating ,authors,isbn,goodreads_book_id\n2001,T,4,A,,5',
    )
    expect(result.tables['books']).toEqual({ created: 1, updated: 0, unchanged: 0 })
    expect(library.query('SELECT goodreads_book_id, year, rating FROM books')).toEqual([[5, 2001, 4]])
  })
})

describe('the source', () => {
  it('may be packed, have tabs or another delimiter, or be standard input', async () => {
    await using library = await openLibrary()
    const simple = `${header}\n1,10,,A,1990,One,4.5,x\n`
    const read = async (text: string | Buffer, options: Parameters<typeof run>[2]) =>
      (await run(library, text, { ...options, dryRun: true })).result.cleaned
    expect(await read(gzipSync(goodbooks), { name: 'books.csv.gz' })).toBe(4)
    expect(await read(simple.replaceAll(',', '\t'), { name: 'books.tsv' })).toBe(1)
    expect(await read(gzipSync(simple.replaceAll(',', '\t')), { name: 'books.TSV.gz' })).toBe(1)
    expect(await read(simple.replaceAll(',', ';'), { delimiter: ';' })).toBe(1)
    const stdin = Readable.from([Buffer.from(goodbooks.slice(0, 100)), Buffer.from(goodbooks.slice(100))])
    const { result } = await callCommand(ImportBooks, { file: '-' }, { context: library.context, stdin })
    expect(result.cleaned).toBe(4)
  })

  it('that cannot be read is a clear error', async () => {
    await using library = await openLibrary()
    const { context, folder } = library
    const read = (file: string | undefined) => callCommand(ImportBooks, { file }, { context })
    await expect(read(join(folder, 'none.csv'))).rejects.toThrow(`Cannot read ${join(folder, 'none.csv')}`)
    await expect(read(folder)).rejects.toThrow('it is not a file')
    await expect(read(undefined)).rejects.toMatchObject({ message: 'Missing <file>', exitCode: 2 })
    await expect(read('-')).rejects.toThrow('There is no standard input')
    await expect(run(library, gzipSync(goodbooks).subarray(0, 90), { name: 'cut.csv.gz' })).rejects.toThrow(
      'is not a whole gzip file',
    )
  })

  it('may be read in part', async () => {
    await using library = await openLibrary()
    const { result } = await run(library, goodbooks, { skip: 1, limit: 2 })
    expect(result.read).toBe(2)
    expect(library.query('SELECT goodreads_book_id FROM books')).toEqual([[3], [1381]])
  })
})

describe('--dry-run', () => {
  it('writes nothing, and counts what the import then writes', async () => {
    await using library = await openLibrary()
    const tables = () =>
      ['authors', 'books', 'book_authors'].map((table) => library.query(`SELECT * FROM ${table}`))
    const compare = async (text: string) => {
      const before = tables()
      const dry = await run(library, text, { dryRun: true, batchSize: 2 })
      expect(tables()).toEqual(before)
      expect(dry.out).toContain('Dry run: nothing was written to the database\n')
      const real = await run(library, text, { batchSize: 2 })
      expect(dry.result).toEqual({ ...real.result, dryRun: true })
      return real.result.tables
    }
    // Suzanne Collins is in the first batch and in the second
    expect((await compare(goodbooks))['authors']).toEqual({ created: 5, updated: 0, unchanged: 1 })
    const changed = `${goodbooks.replace('4.34', '4.35')}5,8,,"New, Homer",1,N,,x\n6,8,,Newer,1,N,,x\n`
    expect(await compare(changed)).toEqual({
      authors: { created: 2, updated: 0, unchanged: 7 },
      books: { created: 1, updated: 1, unchanged: 3 },
      book_authors: { created: 3, updated: 0, unchanged: 6 },
    })
  })
})

describe('--mode', () => {
  it('create makes a row that exists an error; the batches before it stay', async () => {
    await using library = await openLibrary()
    const row = (id: number) => `${id},${id},,Author ${id},1990,T,4,x\n`
    await run(library, `${header}\n${row(3)}`)
    const again = run(library, `${header}\n${row(1)}${row(2)}${row(3)}`, { mode: 'create', batchSize: 2 })
    await expect(again).rejects.toThrow(/^Could not write row 0 of authors: UNIQUE constraint failed/)
    expect(library.query('SELECT goodreads_book_id FROM books ORDER BY 1')).toEqual([[1], [2], [3]])
  })

  it('upsert needs natural keys', async () => {
    await using library = await openLibrary()
    class Keyless extends ImportBooks {
      override getNaturalKeys() {
        return []
      }
    }
    const message = 'book_authors has no natural key: name one in getNaturalKeys(), or use --mode create'
    await expect(run(library, goodbooks, { Command: Keyless })).rejects.toThrow(message)
    expect((await run(library, goodbooks, { Command: Keyless, mode: 'create' })).result.cleaned).toBe(4)
  })
})

describe('--max-errors', () => {
  const bad = [header, ...[1, 2, 3, 4, 5].map((id) => `${id},${id},,A,1990,${id < 3 ? '' : 'T'},4,x`)].join(
    '\n',
  )

  it.each(['all', '2', '40%', '100%'])('%s lets two of five pass', async (maxErrors) => {
    await using library = await openLibrary()
    expect((await run(library, bad, { maxErrors })).result).toMatchObject({ rejected: 2, cleaned: 3 })
  })

  it.each(['0', '1', '39.9%', '0%'])('%s ends with 3', async (maxErrors) => {
    await using library = await openLibrary()
    await expect(run(library, bad, { maxErrors })).rejects.toMatchObject({
      message: expect.stringContaining('Rejected 2 of 5 rows'),
      exitCode: 3,
    })
    const isPercentage = maxErrors.endsWith('%')
    expect(library.query('SELECT * FROM books')).toHaveLength(isPercentage ? 3 : 0)
  })

  it.each(['-1', 'x', '1.5', '101%', '%'])('%s is refused', async (maxErrors) => {
    await using library = await openLibrary()
    await expect(run(library, bad, { maxErrors })).rejects.toMatchObject({ exitCode: 2 })
  })
})

describe('--rejects', () => {
  it('names the file, which a run without rejects removes', async () => {
    await using library = await openLibrary()
    const rejects = join(library.folder, 'bad.csv')
    const { result } = await run(library, `${header}\n1`, { rejects })
    expect(result.rejectsFile).toBe(rejects)
    expect(await readFile(rejects, 'utf8')).toBe(
      'record,line,column,rule,message\n1,2,,columns,"Expected 8 columns, got 1"\n',
    )
    await run(library, goodbooks, { rejects })
    expect(existsSync(rejects)).toBe(false)
  })

  it('is never the file to read', async () => {
    await using library = await openLibrary()
    const rejects = join(library.folder, 'books.csv')
    await expect(run(library, goodbooks, { rejects })).rejects.toMatchObject({ exitCode: 2 })
    expect(await readFile(rejects, 'utf8')).toBe(goodbooks)
  })

  it('that cannot be written ends the import', async () => {
    await using library = await openLibrary()
    const rejects = join(library.folder, 'none', 'bad.csv')
    await expect(run(library, `${header}\n1`, { rejects })).rejects.toThrow(`Cannot write ${rejects}`)
  })
})

describe('a batch', () => {
  it('is one transaction', async () => {
    await using library = await openLibrary()
    const text = `${header}\n1,1,,A,1990,T,4,x\n2,2,,B,1990,T,4,x\n3,3,,C,1990,T,4,x\n4,4,,D,1990,refused,4,x\n`
    await expect(run(library, text, { batchSize: 2 })).rejects.toThrow(
      /^Could not write row 1 of books: CHECK/,
    )
    expect(library.query('SELECT name FROM authors')).toEqual([['A'], ['B']])
  })

  it('is not begun once the signal has aborted', async () => {
    await using library = await openLibrary()
    const controller = new AbortController()
    class Stopping extends ImportBooks {
      override getBulksByModel(df: Frame) {
        controller.abort()
        return super.getBulksByModel(df)
      }
    }
    const file = join(library.folder, 'books.csv')
    await writeFile(file, goodbooks)
    const { context } = library
    const run = callCommand(Stopping, { file, batchSize: 1 }, { context, signal: controller.signal })
    await expect(run).rejects.toMatchObject({ exitCode: 130 })
    expect(library.query('SELECT count(*) FROM books')).toEqual([[0]])
  })
})

describe('handleImport', () => {
  it('may give a frame of its own, or several, numbered throughout', async () => {
    await using library = await openLibrary()
    const pl = await loadPolars()
    const frame = (ids: (number | null)[]) =>
      pl.DataFrame({
        goodreads_book_id: ids,
        title: ids.map((id) => `Book ${id}`),
        authors: ids.map(() => 'A'),
        isbn: ids.map(() => '1'),
        year: ids.map(() => '2000.0'),
        average_rating: ids.map(() => 4.5),
      })
    class Whole extends ImportBooks {
      override handleImport() {
        return frame([1, 2, null])
      }
    }
    class Several extends ImportBooks {
      override *handleImport() {
        yield frame([3])
        yield frame([4, null, 5])
      }
    }
    const { folder, context } = library
    const options = { batchSize: 2, rejects: join(folder, 'rejects.csv') }
    expect((await callCommand(Whole, options, { context })).result).toMatchObject({ read: 3, cleaned: 2 })
    expect((await callCommand(Several, options, { context })).result).toMatchObject({ read: 4, cleaned: 3 })
    expect(library.query('SELECT goodreads_book_id, year FROM books')).toEqual(
      [1, 2, 3, 4, 5].map((id) => [id, 2000]),
    )
    expect(await readFile(options.rejects, 'utf8')).toMatch(
      /^.*\n3,,goodreadsBookId,no-null,Expected a value\n$/,
    )
  })
})

describe('the progress of an import', () => {
  it('is counted in bytes of the file', async () => {
    await using library = await openLibrary()
    const { err } = await run(library, goodbooks)
    expect(err).toMatch(/^import-books: 100 % \(0\.\d kB of 0\.\d kB, /)
  })
})
