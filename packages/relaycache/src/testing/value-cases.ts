import { deepStrictEqual, equal } from 'node:assert/strict'
import { inspect } from 'node:util'
import { cache } from '../cache.ts'
import { RelayCacheErrorCode, type RelayCacheError } from '../errors.ts'
import { assertHit, assertMiss, type OpenCase } from './contract-case.ts'

const VALUES = ['text', 0, false, null, undefined, { list: [1, { two: 2 }] }]

class Book {
  readonly title = 'Dune'
}

const cyclic: { self?: unknown } = {}
cyclic.self = cyclic

/** What is no plain data, each with what the error says that the value holds. */
const UNSUPPORTED: readonly (readonly [what: string, value: unknown])[] = [
  ['a function', () => 1],
  ['a symbol', { deep: [Symbol('s')] }],
  ['a symbol key', { deep: { [Symbol('s')]: 1 } }],
  ['a cycle or more than 500 levels', cyclic],
  [`an instance of ${Book.name}`, new Book()], // a bundler may have renamed it
  [
    'an instance of a class without a name',
    Object.defineProperty(new Book(), 'constructor', { value: undefined }),
  ],
]

/** Which values a backend keeps, and what becomes of the others. */
export const valueCases: readonly OpenCase[] = [
  ...VALUES.map((value): OpenCase => [
    `it hits the value ${inspect(value, { breakLength: Infinity })}`,
    async (backend) => {
      equal(await backend.set('a', value), true)
      assertHit(await backend.get('a'), value)
      equal(await backend.has('a'), true)
    },
  ]),
  [
    'it keeps dates, maps, sets, bigints, bytes and unusual numbers what they are',
    async (backend) => {
      const value = {
        date: new Date('2024-02-29'),
        map: new Map<unknown, unknown>([[{ id: 1 }, new Set([1n, undefined])]]),
        buffer: Buffer.from('bytes'),
        bytes: new Uint8Array([0, 255]),
        numbers: [Number.NaN, Infinity, -Infinity, -0],
        escaped: { $: ['date', 0] },
      }
      await backend.set('a', value)
      assertHit(await backend.get('a'), value)
    },
  ],
  [
    'it does not let one caller change what another gets',
    async (backend) => {
      const getList = cache({ ttl: 60, backend }, async function getList() {
        return { when: new Date(0), items: [1, 2] }
      })
      const callers = await Promise.all([getList(), getList()])
      for (const value of [...callers, await getList()]) {
        value.when.setFullYear(1999)
        value.items.push(3)
      }
      deepStrictEqual(await getList(), { when: new Date(0), items: [1, 2] })
    },
  ],
  [
    'it hands out what it is given to store without a capture, to each caller its own',
    async (backend) => {
      const shared = await backend.store(undefined, { items: [1] }, 60_000)
      const values = [shared.own, shared.copy(), shared.copy()] as { items: number[] }[]
      deepStrictEqual(values, [{ items: [1] }, { items: [1] }, { items: [1] }])
    },
  ],
  [
    'it hands out values that it cannot store, and says so',
    async (_, create) => {
      const errors: RelayCacheError[] = []
      const backend = await create({ onError: (error) => errors.push(error) })
      for (const [index, [, value]] of UNSUPPORTED.entries()) {
        const get = cache({ ttl: 60, backend, key: `get${index}` }, async () => value)
        equal(await get(), value)
        assertMiss(await get.peek())
      }
      const code = RelayCacheErrorCode.unsupportedValue
      deepStrictEqual(
        errors.map((error) => `${error.code} ${error.message}`),
        UNSUPPORTED.map(
          ([what]) => `${code} A value was not stored because it holds ${what}; return plain data`,
        ),
      )
    },
  ],
  [
    'it hands out values that throw when they are copied, and says what they throw',
    async (_, create) => {
      const errors: RelayCacheError[] = []
      const backend = await create({ onError: (error) => errors.push(error) })
      const cause = new Error('not loaded yet')
      const lazy = Object.defineProperty({}, 'author', {
        enumerable: true,
        get() {
          throw cause
        },
      })
      const get = cache({ ttl: 60, backend }, async function get() {
        return lazy
      })
      equal(await get(), lazy)
      equal(await backend.set('a', lazy), false)
      const expected = { code: RelayCacheErrorCode.unsupportedValue, cause }
      deepStrictEqual(
        errors.map((error) => ({ code: error.code, cause: error.cause })),
        [expected, expected],
      )
    },
  ],
  [
    'it goes on when its onError throws',
    async (_, create) => {
      const backend = await create({
        onError() {
          throw new Error('from onError')
        },
      })
      const anonymous = (): undefined => undefined
      const get = cache({ ttl: 60, backend, key: 'get' }, async () => anonymous)
      const warnings = await warningsOf(async () => equal(await get(), anonymous))
      deepStrictEqual(
        warnings.map((warning) => warning.split('\n', 1)[0]),
        ['The onError option of a cache threw Error: from onError'],
      )
    },
  ],
]

/** The process warnings that `run` causes, kept from being printed. */
async function warningsOf(run: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = []
  const emitWarning = process.emitWarning.bind(process)
  process.emitWarning = (warning: string | Error) => void warnings.push(String(warning))
  try {
    await run()
  } finally {
    process.emitWarning = emitWarning
  }
  return warnings
}
