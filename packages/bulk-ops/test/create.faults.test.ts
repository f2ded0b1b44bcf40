import fc from 'fast-check'
import { describeWith } from '@outrider/test-kit'
import { describe, expect, it } from 'vitest'
import { bulkCreateInSteps, type OnConflict } from '../src/index.ts'
import { openBetterSqlite, openNodePostgres, type Backend } from './backends.ts'

const isLong = process.env['OUTRIDER_FAULTS'] === '1'

/** A property that a row may have, be null in, or lack. */
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(fc.option(value, { nil: null }), { nil: undefined })

const defaultsRow = fc.record({
  literal: maybe(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  expression: maybe(fc.string({ unit: 'binary' }).map(withoutNul)),
  nullable: maybe(fc.string().map(withoutNul)),
  made: maybe(fc.constantFrom('', 'NULL', '{}', '"\\"')),
  touched: maybe(fc.string().map(withoutNul)),
})

const valuesRow = fc.record({
  flag: maybe(fc.boolean()),
  at: maybe(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })),
  data: maybe(
    fc
      .json()
      .map((text): unknown => JSON.parse(text.replaceAll('\\u0000', '')))
      .filter((value) => value !== null),
  ),
  score: maybe(fc.double({ noNaN: true, noDefaultInfinity: true })),
  big: maybe(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  bytes: maybe(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
  note: maybe(fc.string({ unit: 'grapheme' }).map(withoutNul)),
})

/** PostgreSQL's text cannot hold it, nor a lone surrogate. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}

function describeEquality(open: () => Promise<Backend>): void {
  const numRuns = isLong ? 1000 : 40
  const seed = Number(process.env['OUTRIDER_SEED'] ?? Date.now() % 2 ** 31)

  it.each(['defaults', 'values'] as const)(
    'equals one insert per row for random rows of %s with random columns missing',
    { timeout: 600_000 },
    async (name) => {
      process.stderr.write(`bulk create: OUTRIDER_SEED=${seed} ${numRuns} runs\n`)
      const backend = await open()
      const table = backend.tables[name]
      const row: fc.Arbitrary<Record<string, unknown>> = name === 'defaults' ? defaultsRow : valuesRow
      const rows = fc.array(row, { maxLength: 20 })
      const property = fc.asyncProperty(rows, fc.integer({ min: 1, max: 21 }), async (given, step) => {
        const before = (await backend.read(table)).length
        const made = await bulkCreateInSteps(backend.db, table, given, { step })
        expect((await backend.read(table)).slice(before)).toEqual(made)
        for (const each of given) await backend.insert(table, each)
        const all = (await backend.read(table)).slice(before)
        const [bulk, single] = [all.slice(0, given.length), all.slice(given.length)].map((part) =>
          part.map(withoutKey),
        )
        expect(bulk).toEqual(single)
        await backend.execute(`delete from "${name}"`)
      })
      await fc.assert(property, { seed, numRuns })
      await backend.close()
    },
  )

  it('upserts as if one row came after another', { timeout: 600_000 }, async () => {
    process.stderr.write(`bulk upsert: OUTRIDER_SEED=${seed} ${numRuns} runs\n`)
    const backend = await open()
    const { settings } = backend.tables
    const letter = fc.constantFrom('a', 'b')
    const row = fc.record(
      { app: letter, key: letter, value: maybe(fc.nat(3).map(String)) },
      { requiredKeys: ['app', 'key'] },
    )
    const rows = fc.array(row, { maxLength: 12 })
    const update = fc.constantFrom(undefined, [], ['value'] as const)
    const property = fc.asyncProperty(rows, rows, update, async (first, second, fields) => {
      const target = ['app', 'key'] as const
      const onConflict: OnConflict<'app' | 'key' | 'value'> =
        fields === undefined ? { target } : { target, update: fields }
      const upsert = (given: typeof first, step: number) =>
        bulkCreateInSteps(backend.db, settings, given as never, { onConflict, step })
      const contents = async () =>
        (await backend.read(settings)).map((each) => JSON.stringify(each)).toSorted()
      for (const given of [first, second]) await upsert(given, 1)
      const oneByOne = await contents()
      await backend.execute('delete from settings')
      for (const given of [first, second]) await upsert(given, 12)
      expect(await contents()).toEqual(oneByOne)
      await backend.execute('delete from settings')
    })
    await fc.assert(property, { seed, numRuns })
    await backend.close()
  })
}

function withoutKey(row: Record<string, unknown>): [string, unknown][] {
  return Object.entries(row).filter(([key]) => key !== 'id')
}

describe('better-sqlite3', () => describeEquality(openBetterSqlite))
describeWith('postgres', 'node-postgres', () => describeEquality(openNodePostgres))
