import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { MigrationError, type Migration, type SqliteWorker } from '../src/index.ts'
import { openWorker, temporaryFile } from './fixture.ts'

const users: Migration = {
  version: '001',
  name: 'create users',
  up: 'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE INDEX by_name ON users (name);',
  down: 'DROP TABLE users',
}
const email: Migration = {
  version: '002',
  name: 'add email',
  up: 'ALTER TABLE users ADD COLUMN email TEXT',
  down: 'ALTER TABLE users DROP COLUMN email',
}
const posts: Migration = { version: '003', name: 'create posts', up: 'CREATE TABLE posts (title TEXT)' }
const list = [users, email, posts]

const tables = async (worker: SqliteWorker): Promise<unknown[]> => {
  const rows = await worker.execute(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  )
  return rows.map(({ name }) => name)
}
const versions = async (worker: SqliteWorker): Promise<string[]> =>
  (await worker.getAppliedMigrations()).map(({ version }) => version)

describe('migrate', () => {
  it('applies what the database lacks in the order of versions, once, and tells what it did', async () => {
    const worker = openWorker()
    expect(await worker.migrate([email, users])).toEqual([
      { version: '001', name: 'create users', direction: 'up' },
      { version: '002', name: 'add email', direction: 'up' },
    ])
    expect(await worker.migrate(list)).toEqual([{ version: '003', name: 'create posts', direction: 'up' }])
    expect(await worker.migrate(list)).toEqual([])
    expect(await versions(worker)).toEqual(['001', '002', '003'])
    await worker.insert('users', { name: 'Ada', email: 'ada@example.org' })
  })

  it('counts digits in versions as numbers', async () => {
    const worker = openWorker()
    const up = 'SELECT 1'
    const steps = await worker.migrate(
      ['v10', 'v9', 'v1.10', 'v1.9', 'v1'].map((version) => ({ version, name: 'x', up })),
    )
    expect(steps.map(({ version }) => version)).toEqual(['v1', 'v1.9', 'v1.10', 'v9', 'v10'])
  })

  it('stops at a version, goes back to one only when allowed, and to the very beginning', async () => {
    const worker = openWorker()
    const [first] = await worker.migrate(list, { to: '001' })
    expect(first).toMatchObject({ version: '001' })
    expect(await versions(worker)).toEqual(['001'])
    await worker.migrate([users, email])
    await expect(worker.migrate(list, { to: '001' })).rejects.toMatchObject({
      code: 'ERR_MIGRATION_ORDER',
      version: '002',
      direction: 'down',
    })
    expect(await worker.migrate(list, { to: '001', allowDown: true })).toEqual([
      { version: '002', name: 'add email', direction: 'down' },
    ])
    await worker.migrate([users, email])
    const steps = await worker.migrate([], { to: null, allowDown: true }) // with the scripts kept in the file
    expect(steps.map(({ version, direction }) => [version, direction])).toEqual([
      ['002', 'down'],
      ['001', 'down'],
    ])
    expect(await tables(worker)).toEqual(['_migrations'])
  })

  it('runs nothing when something that was applied has changed', async () => {
    const worker = openWorker()
    await worker.migrate([users])
    const changed = { ...users, up: `${users.up} -- now with a comment` }
    const error = await worker.migrate([changed, email]).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(MigrationError)
    expect(error).toMatchObject({ code: 'ERR_MIGRATION_CHANGED', version: '001', completed: [] })
    expect(await versions(worker)).toEqual(['001'])
  })

  it('takes a script with other line endings for the same', async () => {
    const worker = openWorker()
    const up = 'CREATE TABLE a (b);\nCREATE TABLE c (d);\n'
    await worker.migrate([{ version: '1', name: 'a', up }])
    expect(await worker.migrate([{ version: '1', name: 'a', up: up.replaceAll('\n', '\r\n') }])).toEqual([])
  })

  it('refuses one older than what is applied, unless allowed', async () => {
    const worker = openWorker()
    await worker.migrate([users, posts])
    await expect(worker.migrate(list)).rejects.toMatchObject({ code: 'ERR_MIGRATION_ORDER', version: '002' })
    expect(await worker.migrationStatus(list)).toMatchObject([
      { version: '001', state: 'applied' },
      { version: '002', state: 'out-of-order', appliedAt: undefined },
      { version: '003', state: 'applied' },
    ])
    await worker.migrate(list, { allowOutOfOrder: true })
    expect(await versions(worker)).toEqual(['001', '003', '002'])
  })

  it('lets an older program use a newer file, and tells of what it does not know', async () => {
    const worker = openWorker()
    await worker.migrate(list)
    expect(await worker.migrate([users, email])).toEqual([])
    const status = await worker.migrationStatus([{ ...users, up: 'SELECT 1' }, email])
    expect(status.map(({ version, state }) => [version, state])).toEqual([
      ['001', 'changed'],
      ['002', 'applied'],
      ['003', 'unknown'],
    ])
  })

  it('rolls nothing back when one of several has no down script', async () => {
    const worker = openWorker()
    await worker.migrate(list)
    await expect(worker.migrate(list, { to: '001', allowDown: true })).rejects.toMatchObject({
      code: 'ERR_MIGRATION_DOWN',
      version: '003',
    })
    expect(await versions(worker)).toEqual(['001', '002', '003'])
  })

  it('takes as long as it needs, whatever transactions may', async () => {
    const worker = openWorker({ transactionTimeoutMs: 1 })
    const numbers =
      'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT i FROM n'
    await worker.migrate([{ version: '1', name: 'numbers', up: `CREATE TABLE numbers AS ${numbers}` }])
    expect(await worker.execute('SELECT COUNT(*) AS count FROM numbers')).toEqual([{ count: 200_000 }])
  })
})

describe('a dry run', () => {
  it('tells what would be done, and does none of it', async () => {
    const worker = openWorker()
    await worker.migrate([users])
    const steps = await worker.migrate(list, { dryRun: true })
    expect(steps.map(({ version }) => version)).toEqual(['002', '003'])
    const back = await worker.migrate([users], { dryRun: true, to: null, allowDown: true })
    expect(back).toEqual([{ version: '001', name: 'create users', direction: 'down' }])
    expect(await versions(worker)).toEqual(['001'])
    expect(await tables(worker)).toEqual(['_migrations', 'users'])
  })

  it('leaves a new file empty', async () => {
    const worker = openWorker()
    expect(await worker.migrate(list, { dryRun: true })).toHaveLength(3)
    expect(await tables(worker)).toEqual([])
  })

  it('rejects with the first error there would be', async () => {
    const worker = openWorker()
    const broken = { version: '004', name: 'broken', up: 'INSERT INTO nowhere VALUES (1)' }
    await expect(worker.migrate([...list, broken], { dryRun: true })).rejects.toMatchObject({
      code: 'ERR_MIGRATION_FAILED',
      version: '004',
      completed: [{ version: '001' }, { version: '002' }, { version: '003' }],
    })
    expect(await tables(worker)).toEqual([])
  })
})

describe('defects of the Python package', () => {
  it('a broken migration recorded as applied', async () => {
    const worker = openWorker()
    const broken = {
      ...email,
      up: `${email.up}; CREATE TABLE half (a); INSERT INTO users (nam) VALUES ('x')`,
    }
    const error = await worker.migrate([users, broken, posts]).catch((error: unknown) => error)
    expect(error).toMatchObject({
      code: 'ERR_MIGRATION_FAILED',
      version: '002',
      direction: 'up',
      completed: [{ version: '001', direction: 'up' }],
      cause: { code: 'ERR_STATEMENT', sqliteCode: 'SQLITE_ERROR' },
    })
    expect(await versions(worker)).toEqual(['001'])
    expect(await tables(worker)).toEqual(['_migrations', 'users'])
    await expect(worker.applyMigration('002', 'add email', broken.up)).rejects.toMatchObject({
      version: '002',
    })
    expect(await versions(worker)).toEqual(['001'])
    await worker.migrate(list)
    expect(await versions(worker)).toEqual(['001', '002', '003'])
  })

  it('a broken migration recorded as applied, when it is the commit that fails', async () => {
    const worker = openWorker({ executeInit: ['PRAGMA foreign_keys = ON'] })
    const up = `CREATE TABLE c (p REFERENCES users DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (7)`
    await expect(worker.migrate([users, { version: '2', name: 'orphan', up }])).rejects.toMatchObject({
      code: 'ERR_MIGRATION_FAILED',
      cause: { sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' },
    })
    expect(await versions(worker)).toEqual(['001'])
    expect(await tables(worker)).toEqual(['_migrations', 'users'])
  })

  it('; inside a literal or trigger splits a migration', async () => {
    const worker = openWorker()
    const up = `
      CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT DEFAULT 'a; b'); -- a comment; with one
      CREATE TABLE log (text TEXT);
      CREATE TRIGGER on_note AFTER INSERT ON notes BEGIN
        INSERT INTO log VALUES (CASE WHEN new.id > 1 THEN 'later; ' ELSE 'first; ' END || new.text);
        UPDATE notes SET text = upper(text) WHERE id = new.id;
      END;
      INSERT INTO notes (text) VALUES ('it''s; fine')`
    expect(await worker.applyMigration('1', 'notes', up)).toBe(true)
    await worker.insert('notes', {})
    expect(await worker.select('notes', { columns: ['text'] })).toEqual([
      { text: "IT'S; FINE" },
      { text: 'A; B' },
    ])
    expect(await worker.select('log')).toEqual([{ text: "first; it's; fine" }, { text: 'later; a; b' }])
  })
})

describe('applyMigration and rollbackMigration', () => {
  it('tell whether they did anything', async () => {
    const worker = openWorker()
    expect(await worker.getAppliedMigrations()).toEqual([])
    expect(await tables(worker)).toEqual([]) // looking writes nothing
    expect(await worker.applyMigration('001', 'create users', users.up)).toBe(true)
    expect(await worker.applyMigration('001', 'create users', users.up)).toBe(false)
    const [applied] = await worker.getAppliedMigrations()
    expect(applied).toEqual({
      version: '001',
      name: 'create users',
      appliedAt: expect.any(Date) as Date,
      checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      down: undefined,
    })
    expect(Math.abs(Number(applied?.appliedAt) - Date.now())).toBeLessThan(3_600_000) // UTC, not local time
    expect(await worker.rollbackMigration('001', 'DROP TABLE users')).toBe(true)
    expect(await worker.rollbackMigration('001', 'DROP TABLE users')).toBe(false)
    expect(await worker.getAppliedMigrations()).toEqual([])
  })

  it('keep the down script with the migration', async () => {
    const worker = openWorker()
    await worker.applyMigration('001', 'create users', users.up, users.down)
    expect(await worker.rollbackMigration('001')).toBe(true)
    expect(await tables(worker)).toEqual(['_migrations'])
    await worker.applyMigration('003', 'create posts', posts.up)
    await expect(worker.rollbackMigration('003')).rejects.toMatchObject({
      code: 'ERR_MIGRATION_DOWN',
      version: '003',
    })
    await expect(worker.rollbackMigration('003', 'DROP TABLE nowhere')).rejects.toMatchObject({
      code: 'ERR_MIGRATION_FAILED',
      direction: 'down',
    })
    expect(await versions(worker)).toEqual(['003'])
  })

  it('refuse a changed script and an older version', async () => {
    const worker = openWorker()
    await worker.applyMigration('002', 'b', 'SELECT 1')
    await expect(worker.applyMigration('002', 'b', 'SELECT 2')).rejects.toMatchObject({
      code: 'ERR_MIGRATION_CHANGED',
    })
    await expect(worker.applyMigration('001', 'a', 'SELECT 1')).rejects.toMatchObject({
      code: 'ERR_MIGRATION_ORDER',
    })
    await worker.migrate([{ version: '001', name: 'a', up: 'SELECT 1' }], { allowOutOfOrder: true })
    expect(await versions(worker)).toEqual(['002', '001'])
  })

  it('leave the transaction of their caller alone', async () => {
    const worker = openWorker()
    const inside = worker.transaction(async (tx) => {
      await tx.execute('CREATE TABLE mine (a)')
      await worker.migrate(list)
    })
    await expect(inside).rejects.toMatchObject({ code: 'ERR_TRANSACTION_NESTED' })
    expect(await tables(worker)).toEqual([])
  })
})

describe('a file of the Python package', () => {
  // what it runs when it opens a file, and what it does to apply two migrations
  const seed = `
            CREATE TABLE IF NOT EXISTS _migrations (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                version TEXT UNIQUE NOT NULL,
                name TEXT NOT NULL,
                applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
            )
        `
  const note = 'INSERT INTO _migrations (version, name) VALUES (?, ?)'

  function seeded(): string {
    const file = temporaryFile()
    const db = new Database(file)
    db.exec(seed)
    db.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)')
    db.prepare(note).run('001', 'create users')
    db.exec('ALTER TABLE users ADD COLUMN email TEXT')
    db.prepare(note).run('002', 'add email')
    db.exec("UPDATE _migrations SET applied_at = '2024-02-29 12:34:56' WHERE version = '001'")
    db.close()
    return file
  }

  it('is read without changing it', async () => {
    const file = seeded()
    const worker = openWorker({ file })
    expect(await worker.getAppliedMigrations()).toMatchObject([
      {
        version: '001',
        name: 'create users',
        appliedAt: new Date('2024-02-29T12:34:56Z'),
        checksum: undefined,
      },
      { version: '002', name: 'add email', down: undefined },
    ])
    expect((await worker.migrationStatus(list)).map(({ state }) => state)).toEqual([
      'applied',
      'applied',
      'pending',
    ])
    expect(await worker.execute("SELECT COUNT(*) AS columns FROM pragma_table_info('_migrations')")).toEqual([
      { columns: 4 },
    ])
  })

  it('is continued, also by the Python package', async () => {
    const file = seeded()
    const worker = openWorker({ file })
    expect(await worker.applyMigration('002', 'add email', email.up)).toBe(false)
    expect(await worker.migrate(list)).toEqual([{ version: '003', name: 'create posts', direction: 'up' }])
    expect(await worker.rollbackMigration('002', 'ALTER TABLE users DROP COLUMN email')).toBe(true)
    const python = new Database(file)
    python.exec(seed)
    python.prepare(note).run('004', 'from Python')
    expect(
      python.prepare('SELECT version, name, applied_at FROM _migrations ORDER BY id').raw().all(),
    ).toEqual([
      ['001', 'create users', '2024-02-29 12:34:56'],
      ['003', 'create posts', expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)],
      ['004', 'from Python', expect.any(String)],
    ])
    python.close()
    expect(await versions(worker)).toEqual(['001', '003', '004'])
  })

  it('is told from a table of another program', async () => {
    const worker = openWorker()
    await worker.execute('CREATE TABLE _migrations (id, done)')
    await expect(worker.migrate(list)).rejects.toMatchObject({ code: 'ERR_MIGRATION_TABLE' })
    await expect(worker.getAppliedMigrations()).rejects.toMatchObject({ code: 'ERR_MIGRATION_TABLE' })
    expect(await tables(worker)).toEqual(['_migrations'])
  })
})

describe('bad input', () => {
  const up = 'CREATE TABLE a (b)'

  it.each([
    ['no list', 'x'],
    ['an entry that is no object', [null]],
    ['no version', [{ name: 'a', up }]],
    ['an empty version', [{ version: '', name: 'a', up }]],
    ['a version that is a number', [{ version: 1, name: 'a', up }]],
    ['a version with white space at its end', [{ version: '1 ', name: 'a', up }]],
    ['no name', [{ version: '1', up }]],
    ['an empty script', [{ version: '1', name: 'a', up: ' \n' }]],
    ['a script that is no text', [{ version: '1', name: 'a', up: ['SELECT 1'] }]],
    [
      'a script with NUL, where SQLite would stop reading',
      [{ version: '1', name: 'a', up: `${up}\0; SELECT 1` }],
    ],
    ['half a surrogate pair', [{ version: '1', name: 'a', up: `SELECT '\ud800'` }]],
    ['an unknown member', [{ version: '1', name: 'a', up, dwon: up }]],
    ['a version twice', [users, { ...email, version: '001' }]],
    ['a down script that is empty', [{ version: '1', name: 'a', up, down: '' }]],
    ['PRAGMA foreign_keys', [{ version: '1', name: 'a', up: `${up}; PRAGMA foreign_keys = OFF` }]],
  ])('is refused before anything runs: %s', async (_, migrations) => {
    const worker = openWorker()
    const code = 'ERR_INVALID_ARGUMENT'
    await expect(worker.migrate(migrations as never)).rejects.toMatchObject({ code })
    await expect(worker.migrationStatus(migrations as never)).rejects.toMatchObject({ code })
    expect(await tables(worker)).toEqual([])
  })

  it.each(['COMMIT; CREATE TABLE b (c)', `${up};\nBEGIN`, 'savepoint x', `${up}; /* a */ end`])(
    'is refused before anything runs: a script that says %s',
    async (script) => {
      const worker = openWorker()
      const code = 'ERR_TRANSACTION_CONTROL'
      await expect(worker.applyMigration('1', 'a', script)).rejects.toMatchObject({ code })
      await expect(worker.applyMigration('1', 'a', up, script)).rejects.toMatchObject({ code })
      await expect(worker.rollbackMigration('1', script)).rejects.toMatchObject({ code })
      await expect(worker.migrate([users, { ...email, up: script }])).rejects.toMatchObject({ code })
      expect(await tables(worker)).toEqual([])
    },
  )

  it('is refused: options that are unknown or do not fit', async () => {
    const worker = openWorker()
    await expect(worker.migrate(list, { dryrun: true } as object)).rejects.toThrow('did you mean "dryRun"?')
    for (const options of [
      { to: 3 },
      { lockTimeoutMs: -1 },
      { lockTimeoutMs: Number.NaN },
      { allowDown: 1 },
      5,
    ]) {
      await expect(worker.migrate(list, options as object)).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
      })
    }
    await expect(worker.migrate(list, { to: '9' })).rejects.toMatchObject({ code: 'ERR_MIGRATION_UNKNOWN' })
    await expect(worker.rollbackMigration('')).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    expect(await tables(worker)).toEqual([])
  })
})
