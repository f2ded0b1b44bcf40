import fc from 'fast-check'

/** One statement, as SQLite gets it. */
export interface Sql {
  readonly sql: string
  readonly params: readonly (string | number)[]
}

export type Consistency = 'causal' | 'eager' | 'writer'

/** What a client does, outside of a transaction or inside of one. */
export type Step =
  | { readonly kind: 'run'; readonly statement: Sql; readonly isAwaited: boolean }
  | { readonly kind: 'rows'; readonly rows: readonly { a: string; n: number }[] }
  | { readonly kind: 'batch'; readonly statements: readonly Sql[] }
  | { readonly kind: 'script'; readonly sql: string }
  | { readonly kind: 'read'; readonly statement: Sql; readonly consistency: Consistency }
  | { readonly kind: 'stream'; readonly statement: Sql }
  | TransactionStep
  /** Inside a transaction: a write that is not part of it. */
  | { readonly kind: 'outside'; readonly statement: Sql }
  /** Lets others run. */
  | { readonly kind: 'pause'; readonly turns: number }

export interface TransactionStep {
  readonly kind: 'transaction'
  readonly mode: 'deferred' | 'immediate' | 'exclusive'
  readonly steps: readonly Step[]
  readonly throws: boolean
  /** Whether its statements are called on the worker instead of on `tx`. */
  readonly usesWorker: boolean
}

/** What each client does, one step after another; the clients run at the same time. */
export type Program = readonly (readonly Step[])[]

/** Whether a step is anything for SQLite: a transaction without statements is not. */
export function hasStatement(step: Step): boolean {
  if (step.kind === 'transaction') return step.steps.some(hasStatement)
  return step.kind !== 'pause' && step.kind !== 'outside'
}

const triggers = [
  `CREATE TRIGGER note AFTER INSERT ON t BEGIN INSERT INTO log (a) VALUES (new.a); END`,
  `CREATE TRIGGER kill BEFORE INSERT ON t WHEN new.a = 'rollback' BEGIN SELECT RAISE(ROLLBACK, 'killed'); END`,
  `CREATE TRIGGER kill_late AFTER UPDATE ON t WHEN new.n = 77 BEGIN
     INSERT INTO log (a) VALUES ('late'); SELECT RAISE(ROLLBACK, 'killed late'); END`,
  `CREATE TRIGGER half BEFORE INSERT ON t WHEN new.a = 'fail' BEGIN SELECT RAISE(FAIL, 'failed'); END`,
  `CREATE TRIGGER stop AFTER INSERT ON t WHEN new.a = 'abort' BEGIN SELECT RAISE(ABORT, 'aborted'); END`,
  `CREATE TRIGGER skip BEFORE INSERT ON t WHEN new.a = 'ignore' BEGIN SELECT RAISE(IGNORE); END`,
]

export const schema: readonly string[] = [
  'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, n INTEGER CHECK (n < 90))',
  'CREATE TABLE log (a TEXT)',
  'CREATE TABLE p (id INTEGER PRIMARY KEY)',
  'CREATE TABLE c (pid INT REFERENCES p(id))',
  ...triggers,
]

/** A key that is only checked at COMMIT, which keeps statements from sharing one. */
export const deferredSchema: readonly string[] = [
  ...schema,
  'CREATE TABLE d (pid INT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)',
]

/** Tables in an order in which they can be emptied. */
export const tables: readonly string[] = ['d', 'c', 'p', 't', 'log']

const letter = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'rollback', 'fail', 'abort', 'ignore')
const conflict = fc.constantFrom('', 'OR ABORT ', 'OR FAIL ', 'OR IGNORE ', 'OR REPLACE ', 'OR ROLLBACK ')
const n = fc.nat(99)
const id = fc.nat(5)

const writesOfT = fc.oneof(
  fc.record({ sql: fc.constant('INSERT INTO t (a, n) VALUES (?, ?)'), params: fc.tuple(letter, n) }),
  fc.record({
    sql: conflict.map((or) => `INSERT ${or}INTO t (a, n) VALUES (?, 1), ('x', ?), (?, 2)`),
    params: fc.tuple(letter, n, letter),
  }),
  fc.record({
    sql: fc.constant('INSERT INTO t (a, n) VALUES (?, 5) ON CONFLICT (a) DO UPDATE SET n = n + 30'),
    params: fc.tuple(letter),
  }),
  fc.record({ sql: fc.constant('INSERT INTO t (a) VALUES (?) RETURNING id, a'), params: fc.tuple(letter) }),
  fc.record({ sql: fc.constant('UPDATE t SET n = n + ?'), params: fc.tuple(n) }),
  fc.record({
    sql: fc.constant('UPDATE t SET n = ? WHERE a = ? RETURNING id, n'),
    params: fc.tuple(n, letter),
  }),
  fc.record({ sql: fc.constant('DELETE FROM t WHERE a = ?'), params: fc.tuple(letter) }),
)

const writesOfKeys = fc.oneof(
  fc.record({ sql: fc.constant('INSERT INTO p VALUES (?)'), params: fc.tuple(id) }),
  fc.record({ sql: fc.constant('INSERT INTO c VALUES (?)'), params: fc.tuple(id) }),
  fc.record({ sql: fc.constant('INSERT INTO d VALUES (?)'), params: fc.tuple(id) }), // no table in one of the schemas
  fc.record({ sql: fc.constant('DELETE FROM p WHERE id = ?'), params: fc.tuple(id) }),
  fc.record({ sql: fc.constant('DELETE FROM c WHERE pid = ?'), params: fc.tuple(id) }),
)

const write: fc.Arbitrary<Sql> = fc.oneof(
  { weight: 3, arbitrary: writesOfT },
  { weight: 2, arbitrary: writesOfKeys },
)

const read: fc.Arbitrary<Sql> = fc
  .constantFrom(
    'SELECT a, n FROM t ORDER BY id',
    'SELECT a, COUNT(*) AS times FROM log GROUP BY a ORDER BY a',
    'SELECT (SELECT COUNT(*) FROM p) AS parents, (SELECT COUNT(*) FROM c) AS children',
    'WITH x AS (SELECT MAX(n) AS top FROM t) SELECT top FROM x',
  )
  .map((sql) => ({ sql, params: [] }))

const script = fc
  .array(fc.tuple(letter, n), { minLength: 1, maxLength: 3 })
  .map((rows) => rows.map(([a, value]) => `INSERT INTO t (a, n) VALUES ('${a}', ${value});`).join(' '))

const run = fc.record({
  kind: fc.constant('run' as const),
  statement: fc.oneof({ weight: 5, arbitrary: write }, { weight: 1, arbitrary: read }),
  isAwaited: fc.boolean(),
})
const pause = fc.record({ kind: fc.constant('pause' as const), turns: fc.nat(2) })
const common = [
  { weight: 12, arbitrary: run },
  { weight: 2, arbitrary: pause },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('rows' as const),
      rows: fc.array(fc.record({ a: letter, n }), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      statements: fc.array(fc.oneof({ weight: 4, arbitrary: write }, read), { maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('script' as const), sql: script }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stream' as const), statement: read }) },
]
const readStep = fc.record({
  kind: fc.constant('read' as const),
  statement: read,
  consistency: fc.constantFrom<Consistency>('causal', 'eager', 'writer'),
})

function transaction(depth: number): fc.Arbitrary<Step> {
  const steps: fc.Arbitrary<Step> = fc.oneof(
    ...common,
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('outside' as const), statement: write }) },
    ...(depth > 0 ? [{ weight: 3, arbitrary: transaction(depth - 1) }] : []),
  )
  return fc.record({
    kind: fc.constant('transaction' as const),
    mode: fc.constantFrom<TransactionStep['mode']>('deferred', 'immediate', 'exclusive'),
    steps: fc.array(steps, { maxLength: 6 }),
    throws: fc.boolean(),
    usesWorker: fc.boolean(),
  })
}

const rootStep: fc.Arbitrary<Step> = fc.oneof(
  ...common,
  { weight: 4, arbitrary: readStep },
  { weight: 4, arbitrary: transaction(2) },
)

export const program: fc.Arbitrary<Program> = fc.array(fc.array(rootStep, { maxLength: 12 }), {
  minLength: 1,
  maxLength: 4,
})
