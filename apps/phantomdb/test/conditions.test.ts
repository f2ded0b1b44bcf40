import { describe, expect, it } from 'vitest'
import { compileCondition } from '../src/conditions/compile.ts'
import { parseCondition } from '../src/conditions/parse.ts'
import { CallError } from '../src/errors.ts'
import type { Column, Columns } from '../src/tables/catalog.ts'

const column = (name: string, type: string): [string, Column] => [
  name,
  { name, type, isText: type === 'text', isInteger: type === 'int4', isPrimaryKey: false },
]
const columns: Columns = new Map([
  column('age', 'int4'),
  column('name', 'text'),
  column('isActive', 'bool'),
  column('odd "name"', 'text'),
])

function compiled(condition: unknown): { sql: string; values: unknown[] } {
  const values: unknown[] = []
  const sql = compileCondition(parseCondition(condition), columns, (value) => `$${values.push(value)}`)
  return { sql, values }
}

function refusal(condition: unknown): CallError {
  try {
    compiled(condition)
  } catch (error) {
    if (error instanceof CallError) return error
    throw error
  }
  throw new Error(`${JSON.stringify(condition)} was not refused`)
}

describe('a condition as text', () => {
  it.each([
    ['age=18', '"age" = $1', ['18']],
    ['age != 18', '"age" <> $1', ['18']],
    ['AGE >= -18', '"age" >= $1', ['-18']],
    ['age < 18.5', '"age" < $1::numeric', ['18.5']],
    ['age < 99999999999', '"age" < $1::bigint', ['99999999999']],
    ['age = 1e3', '"age" = $1::numeric', ['1e3']],
    ['age > 99999999999999999999', '"age" > $1::numeric', ['99999999999999999999']],
    ["name = 'O''Hara; drop table users --'", '"name" = $1', ["O'Hara; drop table users --"]],
    ["name like 'a%' or name ILIKE '%b'", '("name" LIKE $1 OR "name" ILIKE $2)', ['a%', '%b']],
    ["name not like 'a'", '(NOT "name" LIKE $1)', ['a']],
    ["name ~ '^a' and name ~* 'b$'", '("name" ~ $1 AND "name" ~* $2)', ['^a', 'b$']],
    ["age ~ '1'", '"age"::text ~ $1', ['1']],
    ['age in (1, 2,3)', '"age" IN ($1, $2, $3)', ['1', '2', '3']],
    ['age not in (1)', '(NOT "age" IN ($1))', ['1']],
    ['age between 1 and 2 and age = 3', '("age" BETWEEN $1 AND $2 AND "age" = $3)', ['1', '2', '3']],
    ['name is null or not name is not null', '("name" IS NULL OR (NOT (NOT "name" IS NULL)))', []],
    ['"isActive" = true', '"isActive" = $1', [true]],
    ['"odd ""name""" = null', '"odd ""name""" = $1', [null]],
    ['age=1 or age=2 and age=3', '("age" = $1 OR ("age" = $2 AND "age" = $3))', ['1', '2', '3']],
    ['(age=1 or age=2) and not age=3', '(("age" = $1 OR "age" = $2) AND (NOT "age" = $3))', ['1', '2', '3']],
    ['not age=1 and age=2', '((NOT "age" = $1) AND "age" = $2)', ['1', '2']],
  ])('%s', (condition, sql, values) => {
    expect(compiled(condition)).toEqual({ sql, values })
  })

  it.each([
    ["name='x'; drop table users", 9],
    ['age >= 18 --x', 11],
    ['age = 1 /* x */', 9],
    ['id in (select id from secrets)', 8],
    ['age in (select 1)', 9],
    ['pg_sleep(10) is null', 9],
    ['age = pg_sleep(10)', 7],
    ['age = (1)', 7],
    ["age = '1'::int", 10],
    ['age = cast(1 as int)', 7],
    ["name similar to 'a'", 6],
    ["name not ~ 'a'", 10],
    ['age = $1', 7],
    ['age = age', 7],
    ['1 = 1', 1],
    ["name = 'open", 8],
    ['"name = 1', 1],
    ["name = E'a\\'b'", 14],
    ['age = 18abc', 7],
    ['age = 1.2.3', 7],
    ['age = 0x10', 7],
    ['users.age = 1', 6],
    ['age + 1 = 2', 5],
    ['secret = 1', 1],
    ['age = 1 age = 2', 9],
    ['(age = 1', 9],
    ['age = 1)', 8],
    ['age in ()', 9],
    ['age between 1 or 2', 15],
    ['age is true', 8],
    ['and', 4],
    ['age =', 6],
    ['age = - 1 -', 11],
    ['"__proto__" = 1', 1],
    ['age = 1 \u00a0', 9],
    ['ａge = 1', 1],
  ])('refuses %s at %i', (condition, position) => {
    expect(refusal(condition)).toMatchObject({
      code: 'invalid_condition',
      status: 400,
      details: { position },
    })
  })

  it.each([
    ['a text that is too long', `name = '${'x'.repeat(8192)}'`],
    ['too many parts', Array.from({ length: 257 }, () => 'age=1').join(' or ')],
    ['parentheses that are too deep', `${'('.repeat(34)}age=1${')'.repeat(34)}`],
    ['NOT that is too deep', `${'not '.repeat(40)}age=1`],
    ['a list that is too long', `age in (${Array.from({ length: 1001 }, () => '1').join(',')})`],
  ])('refuses %s', (_, condition) => {
    expect(refusal(condition)).toMatchObject({ code: 'invalid_condition', status: 400 })
  })

  it('may be as large as the limits say', () => {
    compiled(Array.from({ length: 256 }, () => 'age=1').join(' or '))
    compiled(`age in (${Array.from({ length: 1000 }, () => '1').join(',')})`)
    compiled(`${'('.repeat(32)}age=1${')'.repeat(32)}`)
  })
})

describe('a condition as JSON', () => {
  it.each([
    [{ age: 18 }, '"age" = $1', ['18']],
    [{ name: null }, '"name" IS NULL', []],
    [{ name: 'a', isActive: true }, '("name" = $1 AND "isActive" = $2)', ['a', true]],
    [{ age: { gt: 1, lte: 2.5 } }, '("age" > $1 AND "age" <= $2::numeric)', ['1', '2.5']],
    [{ age: { gte: '1', lt: 2 } }, '("age" >= $1 AND "age" < $2)', ['1', '2']],
    [{ name: { exact: null } }, '"name" IS NULL', []],
    [{ name: { iexact: '50%' } }, '"name" ILIKE $1', ['50\\%']],
    [{ name: { contains: 'a_b\\' } }, '"name" LIKE $1', ['%a\\_b\\\\%']],
    [{ name: { icontains: 'a' } }, '"name" ILIKE $1', ['%a%']],
    [{ name: { startswith: 'a' } }, '"name" LIKE $1', ['a%']],
    [{ name: { istartswith: 'a' } }, '"name" ILIKE $1', ['a%']],
    [{ name: { endswith: 'a' } }, '"name" LIKE $1', ['%a']],
    [{ name: { iendswith: 'a' } }, '"name" ILIKE $1', ['%a']],
    [{ name: { regex: '^a' } }, '"name" ~ $1', ['^a']],
    [{ name: { iregex: '^a' } }, '"name" ~* $1', ['^a']],
    [{ age: { in: [1, null] } }, '"age" IN ($1, $2)', ['1', null]],
    [{ age: { in: [] } }, 'FALSE', []],
    [{ age: { range: [1, 2] } }, '"age" BETWEEN $1 AND $2', ['1', '2']],
    [{ age: { isnull: true } }, '"age" IS NULL', []],
    [{ age: { isnull: false } }, '(NOT "age" IS NULL)', []],
    [{ or: [{ age: 1 }, { not: { age: 2 } }] }, '("age" = $1 OR (NOT "age" = $2))', ['1', '2']],
    [{ and: [] }, 'TRUE', []],
    [{ or: [] }, 'FALSE', []],
  ])('%j', (condition, sql, values) => {
    expect(compiled(condition)).toEqual({ sql, values })
    expect(compiled(JSON.stringify(condition))).toEqual({ sql, values })
  })

  it.each([
    [{}, ''],
    [{ secret: 1 }, 'secret'],
    [{ AGE: 1 }, 'AGE'],
    [{ age: {} }, 'age'],
    [{ age: { grater: 1 } }, 'age.grater'],
    [{ age: { constructor: 1 } }, 'age.constructor'],
    [{ age: { gt: {} } }, 'age.gt'],
    [{ age: [1] }, 'age'],
    [{ age: { in: 1 } }, 'age.in'],
    [{ age: { in: [[1]] } }, 'age.in'],
    [{ age: { range: [1] } }, 'age.range'],
    [{ age: { isnull: 'yes' } }, 'age.isnull'],
    [{ name: { contains: 1 } }, 'name.contains'],
    [{ and: { age: 1 } }, 'and'],
    [{ or: [{ age: 1 }, { age: { gt: [] } }] }, 'or[1].age.gt'],
    [{ not: [] }, 'not'],
    [JSON.parse('{"__proto__": 1}') as unknown, '__proto__'],
    ['{"age": ', ''],
  ])('refuses %j at %j', (condition, path) => {
    expect(refusal(condition)).toMatchObject({ code: 'invalid_condition', status: 400, details: { path } })
  })

  it('refuses what is nested too deeply or has too many parts', () => {
    let deep: object = { age: 1 }
    for (let depth = 0; depth < 40; depth += 1) deep = { not: deep }
    expect(refusal(deep)).toMatchObject({ code: 'invalid_condition' })
    const wide = { or: Array.from({ length: 300 }, () => ({ age: 1 })) }
    expect(refusal(wide)).toMatchObject({ code: 'invalid_condition' })
  })
})
