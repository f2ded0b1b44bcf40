import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import { useGateway, withCondition, type Reply } from './fixture.ts'

const gateway = useGateway()
const path = '/databases/fuzz/tables/victims'

beforeAll(async () => {
  await gateway.query(
    'fuzz',
    'create table victims (id int primary key, name text, flag boolean, at timestamptz, meta jsonb)',
  )
  await gateway.query(
    'fuzz',
    `insert into victims values (1, 'a', true, now(), '{}'), (2, null, null, null, null)`,
  )
})

const pieces =
  'id name flag at meta "id" " \' \'\' ( ) , ; -- /* */ :: $1 = <> != < >= ~ ~* LIKE ILIKE IN BETWEEN IS NOT NULL AND OR ' +
  "TRUE 1 -1 1.5 1e400 99999999999999999999 'a' '(a+)+$' '[' '\0' 'infinity' select pg_sleep(9) union { } \\ id=1 in(1)"
const piece = fc.oneof(fc.constantFrom(...pieces.split(' ')), fc.string({ unit: 'binary', maxLength: 6 }))
const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(' '))

const scalar = fc.oneof(
  fc.constantFrom(null, true, 1, -1.5, 1e300, '', 'a', '\0', '%', '1'),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const operator = fc.constantFrom(
  'exact',
  'gt',
  'in',
  'range',
  'isnull',
  'contains',
  'iregex',
  'nope',
  '__proto__',
)
const columnName = fc.constantFrom('id', 'name', 'flag', 'at', 'meta', 'nope', 'toString')
const few = { maxKeys: 3, maxLength: 3 }
const operand = fc.oneof(scalar, fc.array(scalar, few))
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.dictionary(columnName, fc.oneof(scalar, fc.dictionary(operator, operand, few)), few),
    fc.record({ and: fc.array(tie('json'), few), or: fc.array(tie('json'), few) }, { requiredKeys: [] }),
    fc.record({ not: tie('json') }),
    fc.jsonValue(),
  ),
}))

it('no condition does more than choose rows, whatever it holds', async () => {
  const seed = Number(process.env['OUTRIDER_SEED'] ?? Date.now() % 2 ** 31)
  const numRuns = process.env['OUTRIDER_FAULTS'] === '1' ? 20_000 : 400
  process.stderr.write(`conditions: OUTRIDER_SEED=${seed} ${numRuns} runs\n`)
  const check = ({ status, body }: Reply) => {
    expect([200, 400], JSON.stringify(body)).toContain(status)
    if (status === 200) expect([0, 1, 2]).toContain((body['records'] as unknown[]).length)
    else expect(['invalid_condition', 'query_error']).toContain(body.code)
  }
  // Longer ones do not fit into a URL.
  const condition = fc
    .oneof(text, json)
    .filter((each) => encodeURIComponent(JSON.stringify(each)).length < 50_000)
  const property = fc.asyncProperty(condition, async (each) => {
    check(await gateway.call(`GET ${withCondition(path, each)}`))
  })
  await fc.assert(property, { seed, numRuns })
  const { body } = await gateway.query('fuzz', 'select count(*)::int from victims')
  expect(body['rows']).toEqual([[2]])
}, 600_000)
