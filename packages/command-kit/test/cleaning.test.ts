import { describe, expect, it } from 'vitest'
import { CleaningDF, loadPolars, rowsOf, type Frame, type Reject } from '../src/import/index.ts'

const pl = await loadPolars()

type Rules = Partial<Record<keyof typeof CleaningDF, unknown>>

/** Cleans batches of columns by these rules. */
function clean(rules: Rules, ...batches: Record<string, unknown[]>[]) {
  class Sample extends CleaningDF {}
  Object.assign(Sample, rules)
  const rejects: Reject[] = []
  const cleaning = new Sample({ pl, onRejects: (rows) => rejects.push(...rows) })
  const rows: object[] = []
  for (const columns of batches) {
    const schema = Object.fromEntries(Object.keys(columns).map((name) => [name, pl.String]))
    rows.push(...rowsOf(cleaning.clean(pl.DataFrame(columns, { schema }))))
  }
  return { rows, rejects: rejects.map(({ record, column, rule }) => ({ record, column, rule })), cleaning }
}

const text = { colDtypeMap: { a: 'string', b: 'string' } }

describe('CleaningDF', () => {
  it('renames columns, takes the first alias that is there, and gives them the order of the types', () => {
    const rules = { ...text, renameMap: { a: 'A', b: ['B1', 'B2'] } }
    const { rows } = clean(rules, { B2: ['2'], other: ['x'], A: ['1'] })
    expect(JSON.stringify(rows)).toBe('[{"a":"1","b":"2"}]')
    expect(() => clean(rules, { A: ['1'] })).toThrow('The rows have no column B1 or B2')
    expect(() => clean({}, { A: ['1'] })).toThrow('Sample names no columns in colDtypeMap')
  })

  it('works with maps that name only some columns', () => {
    const rules = {
      colDtypeMap: { a: 'string', b: 'float', c: 'float' },
      fillNullMap: { a: 'none' },
      colPrecisionMap: { c: 1 },
      colConverterMap: { a: (value: string) => value.toUpperCase() },
    }
    const { rows, rejects } = clean(rules, {
      a: [' x ', ' ', null],
      b: ['1.25', '', ' 2 '],
      c: ['1.26', '2', null],
    })
    expect(rows).toEqual([
      { a: 'X', b: 1.25, c: 1.3 },
      { a: 'NONE', b: null, c: 2 },
      { a: 'NONE', b: 2, c: null },
    ])
    expect(rejects).toEqual([])
  })

  it('reads every type, and rejects what does not fit', () => {
    const rules = { colDtypeMap: { i: 'integer', f: 'float', t: 'boolean' } }
    const { rows, rejects } = clean(rules, {
      i: ['007', '-3', '9007199254740991', '9007199254740992', '1.0', '1', '99999999999999999999', ''],
      f: ['1e3', '-.5', '5', '1', '1', '1,5', '1', ''],
      t: ['TRUE', 'no', '0', '1', 'y', 'f', 'maybe', ''],
    })
    expect(rows).toEqual([
      { i: 7, f: 1000, t: true },
      { i: -3, f: -0.5, t: false },
      { i: 9007199254740991, f: 5, t: false },
      { i: null, f: null, t: null },
    ])
    expect(rejects).toEqual([
      { record: 4, column: 'i', rule: 'dtype' },
      { record: 5, column: 'i', rule: 'dtype' },
      { record: 6, column: 'f', rule: 'dtype' },
      { record: 7, column: 'i', rule: 'dtype' },
      { record: 7, column: 't', rule: 'dtype' },
    ])
  })

  it('rejects the row of a value that a converter throws on or turns into something else', () => {
    const year = (value: string) => {
      if (value === 'unknown') return null
      if (value === 'never') throw new Error('No such year')
      return value === 'many' ? 'years' : Number(value)
    }
    const rules = { colDtypeMap: { year: 'integer' }, colConverterMap: { year } }
    const { rows, rejects } = clean(rules, {
      year: ['2008.0', 'unknown', 'never', '2008.5', 'many', null, '-720'],
    })
    expect(rows).toEqual([2008, null, null, -720].map((year) => ({ year })))
    expect(rejects).toEqual([
      { record: 3, column: 'year', rule: 'converter' },
      { record: 4, column: 'year', rule: 'dtype' },
      { record: 5, column: 'year', rule: 'dtype' },
    ])
  })

  it('converts a whole column at once', () => {
    const colConverterMap = {
      a: {
        series: (series: Frame['getColumn'] extends (...args: never) => infer S ? S : never) =>
          series.str.slice(0, 2),
      },
    }
    const { rows, rejects } = clean(
      { colDtypeMap: { a: 'integer' }, colConverterMap },
      { a: ['1234', 'x', null] },
    )
    expect(rows).toEqual([{ a: 12 }, { a: null }])
    expect(rejects).toEqual([{ record: 2, column: 'a', rule: 'dtype' }])
  })

  it('drops rows in which all columns of a subset are missing, not any', () => {
    const { rows, cleaning } = clean(
      { ...text, dropNullSubsets: [['a', 'b']] },
      { a: ['1', '', ''], b: ['', '2', ''] },
    )
    expect(rows).toEqual([
      { a: '1', b: null },
      { a: null, b: '2' },
    ])
    expect(cleaning.dropped).toBe(1)
  })

  it('keeps the first of the same rows, also of several batches, and all without a value', () => {
    const rules = { ...text, uniqueSubsets: [['a']] }
    const { rows, cleaning } = clean(
      rules,
      { a: ['x', 'y', 'x', ''], b: ['1', '2', '3', '4'] },
      { a: ['y', ''], b: ['5', '6'] },
    )
    expect(rows.map((row) => Reflect.get(row, 'b'))).toEqual(['1', '2', '4', '6'])
    expect(cleaning.dropped).toBe(2)
  })

  it('sorts by several columns, missing values last, and leaves the order alone without any', () => {
    const columns = { a: ['x', 'y', '', 'x'], b: ['1', '2', '3', '4'] }
    const order = (rules: Rules) =>
      clean({ ...text, ...rules }, columns).rows.map((row) => Reflect.get(row, 'b'))
    expect(order({})).toEqual(['1', '2', '3', '4'])
    expect(order({ sortCols: [] })).toEqual(['1', '2', '3', '4'])
    expect(order({ sortCols: [['a', 'asc']] })).toEqual(['1', '4', '2', '3'])
    expect(order({ sortCols: [['a', 'desc'], ['b', 'desc']] })).toEqual(['2', '4', '1', '3']) // prettier-ignore
  })

  it('rejects missing values where there must be one, and floats that are no number', () => {
    const rules = { colDtypeMap: { a: 'string', b: 'float' }, noNullCols: ['a', 'b'] }
    const { rows, rejects } = clean(rules, { a: ['x', '', 'x', 'x'], b: ['1', '', 'NaN', 'inf'] })
    expect(rows).toEqual([{ a: 'x', b: 1 }])
    expect(rejects).toEqual([
      { record: 2, column: 'a', rule: 'no-null' },
      { record: 2, column: 'b', rule: 'no-null' },
      { record: 3, column: 'b', rule: 'nan' },
      { record: 4, column: 'b', rule: 'nan' },
    ])
  })

  it('names the line of a reject after rows were dropped, sorted and filtered', () => {
    const rules = {
      colDtypeMap: { a: 'string', b: 'float' },
      uniqueSubsets: [['a']],
      sortCols: [['a', 'desc']],
      noNullCols: ['b'],
    }
    const { rejects } = clean(rules, { a: ['1', '1', '2', '3'], b: ['1', '1', '', '1'] })
    expect(rejects).toEqual([{ record: 3, column: 'b', rule: 'no-null' }])
  })

  it('lets a step and a rule be overridden', () => {
    class Sample extends CleaningDF {
      override getColDtypeMap() {
        return { a: 'string' } as const
      }

      override sortRows() {
        super.sortRows()
        this.df = this.df.head(1)
      }
    }
    const cleaning = new Sample({ pl })
    expect([...rowsOf(cleaning.clean(pl.DataFrame({ a: ['1', '2'] })))]).toEqual([{ a: '1' }])
  })

  it('says which column an overridden step left with another type', () => {
    class Sample extends CleaningDF {
      static override colDtypeMap = { a: 'integer' } as const

      override sortRows() {
        this.df = this.df.withColumns(this.df.getColumn('a').cast(pl.Float64))
      }
    }
    const cleaning = new Sample({ pl })
    expect(() => cleaning.clean(pl.DataFrame({ a: ['1'] }))).toThrow(
      /^Expected a to be .*Int64.* after cleaning/,
    )
  })

  it('works on no rows', () => {
    const rules = {
      colDtypeMap: { a: 'string', b: 'float' },
      dropNullSubsets: [['a']],
      uniqueSubsets: [['a']],
      sortCols: [['a', 'asc']],
      noNullCols: ['a'],
    }
    expect(clean(rules, { a: [], b: [] }).rows).toEqual([])
  })
})
