import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { temporaryDirectory } from '@outrider/test-kit'
import Database from 'better-sqlite3'
import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { callCommand, type Arguments } from '../src/index.ts'
import { CleaningDF, ImportDataCommand, rowsOf, type Frame } from '../src/import/index.ts'

const items = sqliteTable('items', {
  id: integer().primaryKey(),
  code: integer().notNull().unique(),
  name: text().notNull(),
  score: real(),
})

class ItemsCleaningDF extends CleaningDF {
  static override colDtypeMap = { code: 'integer', name: 'string', score: 'float' } as const
  static override dropNullSubsets = [['code', 'name', 'score']]
  static override uniqueSubsets = [['code']]
  static override noNullCols = ['code', 'name']
}

class ImportItems extends ImportDataCommand<{ db: BetterSQLite3Database }> {
  addCommandArguments(p: Arguments) {
    return p
  }

  getCleaningDf() {
    return ItemsCleaningDF
  }

  override getNaturalKeys() {
    return [[items, ['code']]] as const
  }

  getBulksByModel(df: Frame) {
    return [[items, [...rowsOf(df)]]] as const
  }
}

/** Text of one column. A quoted one begins with a letter, so that no unclosed quote before it closes with it. */
const word = fc.string({ unit: fc.constantFrom('a', 'é', '本', ' ', ',', '"', '\n', "'"), maxLength: 6 })
const name = fc.oneof(
  { weight: 5, arbitrary: word.map((text) => `w${text}`) },
  fc.constantFrom('', ' ', '\uFFFD'),
)
const code = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: -20, max: 20 }).map(String) },
  fc.constantFrom('', '007', '1.5', 'x', '9007199254740993', '1e3'),
)
const score = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -999, max: 999 }).map((n) => String(n / 8)) },
  fc.constantFrom('', 'NaN', '1e2', 'y'),
)
const defect = fc.constantFrom(
  'none',
  'none',
  'none',
  'none',
  'short',
  'long',
  'opening',
  'closing',
  'unclosed',
  'bytes',
)
const row = fc.record({ code, name, score, defect, emptyLines: fc.constantFrom(0, 0, 0, 1, 2) })

type Row = typeof row extends fc.Arbitrary<infer R> ? R : never

function field(value: string): string {
  return /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

function line({ code, name, score, defect }: Row): string {
  switch (defect) {
    case 'none':
      return [code, field(name), score].join()
    case 'short':
      return [code, field(name)].join()
    case 'long':
      return [code, field(name), score, ''].join()
    case 'opening':
      return `${code},w"w,${score}`
    case 'closing':
      return `${code},"w"w,${score}`
    case 'unclosed':
      return `${code},"w,${score}`
    default:
      return `${code},w\u0000,${score}` // the byte 0 becomes 0xff in the file
  }
}

const number = (text: string) => (text.trim() === '' ? null : Number(text))
const isInteger = (text: string) => /^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text))

/** What a file must come to, row by row. */
function judge(rows: readonly Row[], newline: string) {
  const imported = new Map<number, { name: string; score: number | null }>()
  const seen = new Set<number>()
  const rejects: string[] = []
  let dropped = 0
  let lineNumber = 2
  for (const [index, each] of rows.entries()) {
    lineNumber += each.emptyLines
    const at = `${index + 1},${lineNumber}`
    lineNumber += line(each).split('\n').length
    const name = each.name.trim()
    const [key, score] = [number(each.code), number(each.score)]
    const structure = {
      none: undefined, short: 'columns', long: 'columns', bytes: 'encoding',
      opening: 'quotes', closing: 'quotes', unclosed: 'quotes',
    }[each.defect] // prettier-ignore
    const casts = [
      key !== null && !isInteger(each.code) ? ['code,dtype'] : [],
      score !== null && Number.isNaN(score) && each.score !== 'NaN' ? ['score,dtype'] : [],
    ].flat()
    if (structure) rejects.push(`${at},,${structure}`)
    else if (casts.length > 0) rejects.push(...casts.map((cast) => `${at},${cast}`))
    else if (key === null && name === '' && score === null) dropped += 1
    else if (key !== null && seen.has(key)) dropped += 1
    else {
      if (key !== null) seen.add(key)
      const checks = [
        key === null ? ['code,no-null'] : [],
        name === '' ? ['name,no-null'] : [],
        Number.isNaN(score) ? ['score,nan'] : [],
      ].flat()
      rejects.push(...checks.map((check) => `${at},${check}`))
      if (checks.length === 0) imported.set(key ?? 0, { name: name.replaceAll('\n', newline), score })
    }
  }
  const rejected = new Set(rejects.map((reject) => reject.split(',')[0])).size
  return { imported, rejects: rejects.toSorted(), rejected, dropped }
}

it(
  'imports, drops and rejects exactly the rows it should, however they are cut',
  { timeout: 600_000 },
  async () => {
    const numRuns = process.env['OUTRIDER_FAULTS'] === '1' ? 1000 : 60
    const seed = Number(process.env['OUTRIDER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    process.stderr.write(`import: OUTRIDER_SEED=${seed} ${numRuns} runs\n`)
    await using folder = await temporaryDirectory()
    const client = new Database(':memory:')
    client.exec(
      'CREATE TABLE items (id INTEGER PRIMARY KEY, code INTEGER NOT NULL UNIQUE, name TEXT NOT NULL, score REAL)',
    )
    const context = { db: drizzle(client) }
    const file = fc.record({
      rows: fc.array(row, { maxLength: 40 }),
      newline: fc.constantFrom('\n', '\r\n'),
      mark: fc.constantFrom('', '\uFEFF'),
      isEnded: fc.boolean(),
      chunkBytes: fc.integer({ min: 1, max: 300 }),
      batchSize: fc.integer({ min: 1, max: 20 }),
    })
    const property = fc.asyncProperty(
      file,
      async ({ rows, newline, mark, isEnded, chunkBytes, batchSize }) => {
        client.exec('DELETE FROM items')
        const lines = rows.map((each) => '\n'.repeat(each.emptyLines) + line(each))
        const text =
          mark + ['code,name,score', ...lines].join('\n').replaceAll('\n', newline) + (isEnded ? newline : '')
        const bytes = Buffer.from(text).map((byte) => (byte === 0 ? 0xff : byte))
        const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, at) =>
          Buffer.from(bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes)),
        )
        const rejectsFile = join(folder.path, 'rejects.csv')
        const options = { file: '-', rejects: rejectsFile, batchSize }
        const { result } = await callCommand(ImportItems, options, { context, stdin: Readable.from(chunks) })

        // a file with bytes that are no UTF-8 cannot be trusted with its replacement characters
        const isInvalid = rows.some(({ defect }) => defect === 'bytes')
        fc.pre(!isInvalid || rows.every(({ name }) => name !== '\uFFFD'))
        const expected = judge(rows, newline)
        const written = client.prepare('SELECT code, name, score FROM items').all()
        expect(written).toEqual(Array.from(expected.imported, ([code, values]) => ({ code, ...values })))
        const { rejected, dropped } = expected
        expect(result).toMatchObject({ read: rows.length, cleaned: written.length, rejected, dropped })
        const rejects = result.rejectsFile === null ? '' : await readFile(result.rejectsFile, 'utf8')
        const named = rejects
          .split('\n')
          .slice(1, -1)
          .map((line) => line.split(',').slice(0, 4).join())
        expect(named.toSorted()).toEqual(expected.rejects)
      },
    )
    await fc.assert(property, { seed, numRuns })
    client.close()
  },
)
