import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isSqliteWorkerError, SqliteWorker } from '../../src/index.ts'
import { openWorker, temporaryFile, workerUrl } from '../fixture.ts'
import { Random } from './random.ts'
import { seedOf, sized } from './size.ts'

const PAGE = 4096

/** A file whose pages 1 and 2 are the schema and a table `healthy`, and all others a table `t`. */
function makeFile(): string {
  const file = temporaryFile()
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE healthy (n INT); CREATE TABLE t (n INTEGER PRIMARY KEY, data TEXT)')
  const insert = db.prepare('INSERT INTO t (data) VALUES (?)')
  db.transaction(() => {
    for (let i = 0; i < 500; i++) insert.run('x'.repeat(300))
  })()
  db.close()
  return file
}

function overwrite(file: string, { from, to, random }: { from: number; to: number; random: Random }): void {
  const content = readFileSync(file)
  for (let at = from; at < Math.min(to, content.length); at++) content[at] = random.below(256)
  writeFileSync(file, content)
}

describe('a corrupt file', () => {
  it('with a broken header rejects all with SQLITE_NOTADB, and close works', async () => {
    const file = makeFile()
    overwrite(file, { from: 0, to: 100, random: new Random(seedOf('corrupt header')) })
    const worker = openWorker({ file })
    const calls = [
      worker.select('t'),
      worker.insert('t', { data: 'x' }),
      worker.transaction((tx) => tx.select('t')),
      ...Array.from({ length: 50 }, (_, n) => worker.insert('healthy', { n })),
    ]
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_OPEN', sqliteCode: 'SQLITE_NOTADB' },
      })
    }
    await worker.close()
  })

  it('broken in its middle rejects what touches that with SQLITE_CORRUPT, and spares all else', async () => {
    const file = makeFile()
    overwrite(file, { from: 2 * PAGE, to: Infinity, random: new Random(seedOf('corrupt middle')) })
    const worker = openWorker({ file })
    const corrupt = { code: 'ERR_STATEMENT', sqliteCode: expect.stringMatching(/^SQLITE_CORRUPT/) }
    await expect(worker.execute('SELECT SUM(length(data)) FROM t')).rejects.toMatchObject(corrupt)
    await expect(worker.transaction((tx) => tx.insert('t', { data: 'x' }))).rejects.toMatchObject(corrupt)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, n) =>
        n % 3 === 0 ? worker.insert('t', { data: 'x' }) : worker.insert('healthy', { n }),
      ),
    )
    for (const [n, outcome] of outcomes.entries()) {
      expect(outcome).toMatchObject(n % 3 === 0 ? { reason: corrupt } : { status: 'fulfilled' })
    }
    expect(await worker.execute('SELECT COUNT(*) AS n FROM healthy')).toEqual([{ n: 40 }])
    await worker.close()
    const db = new Database(file)
    onTestFinished(() => void db.close())
    expect(db.prepare('SELECT COUNT(*) AS n FROM healthy').get()).toEqual({ n: 40 })
  })

  const rounds = sized(15, 200)
  it(
    `with random bytes anywhere answers everything with rows or with a typed error, ${rounds} times`,
    {
      timeout: 180_000,
    },
    async () => {
      const random = new Random(seedOf('corrupt anywhere'))
      const original = makeFile()
      const counts = { fulfilled: 0, rejected: 0 }
      for (let round = 0; round < rounds; round++) {
        const file = `${original}.${round}`
        copyFileSync(original, file)
        const size = readFileSync(file).length
        for (let hole = 0; hole <= random.below(4); hole++) {
          const from = random.chance(0.3) ? random.below(200) : random.below(size)
          overwrite(file, { from, to: from + 1 + random.below(random.chance(0.5) ? 8 : 4000), random })
        }
        const worker = new SqliteWorker(file, { workerUrl: workerUrl(), readers: random.below(2) })
        const outcomes = await Promise.allSettled([
          worker.select('t'),
          ...Array.from({ length: 20 }, (_, n) => worker.insert('healthy', { n })),
          ...Array.from({ length: 20 }, () => worker.insert('t', { data: 'x'.repeat(random.below(9000)) })),
          worker.update('t', { data: 'y' }, { n: { gt: 250 } }),
          worker.delete('t', { n: { lt: 100 } }),
          worker.transaction((tx) => tx.insert('t', { data: 'x' })),
          worker.execute('SELECT COUNT(*) FROM t, healthy'),
        ])
        for (const outcome of outcomes) {
          counts[outcome.status] += 1
          if (outcome.status === 'fulfilled') continue
          const reason: unknown = outcome.reason
          if (!isSqliteWorkerError(reason)) throw reason
          // the last one for a cell that now reads as an integer beyond 2^53
          expect(['ERR_OPEN', 'ERR_STATEMENT', 'ERR_INTEGER_RANGE']).toContain(reason.code)
        }
        await worker.close()
        for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
      }
      process.stderr.write(`corrupt anywhere: ${JSON.stringify(counts)}\n`)
      expect(counts.fulfilled).toBeGreaterThan(0)
      expect(counts.rejected).toBeGreaterThan(0)
    },
  )
})

describe('a log', () => {
  const commits = 60
  const rounds = sized(15, 150)

  it.each(['truncated', 'overwritten'])(
    `%s anywhere keeps whole commits up to there, and the file goes on, ${rounds} times`,
    {
      timeout: 180_000,
    },
    async (how) => {
      const random = new Random(seedOf(`log ${how}`))
      const original = temporaryFile()
      const db = new Database(original)
      onTestFinished(() => void db.close()) // which would empty the log
      db.pragma('journal_mode = WAL')
      db.exec('CREATE TABLE t (n INT, part INT)')
      db.pragma('wal_checkpoint(TRUNCATE)')
      for (let n = 0; n < commits; n++) db.exec(`INSERT INTO t VALUES (${n}, 0), (${n}, 1), (${n}, 2)`)
      const size = readFileSync(`${original}-wal`).length
      const lengths = new Set<number>()
      for (let round = 0; round < rounds; round++) {
        const file = `${original}.${round}`
        for (const end of ['', '-wal']) copyFileSync(original + end, file + end)
        const at = random.below(size)
        if (how === 'truncated') truncateSync(`${file}-wal`, at)
        else overwrite(`${file}-wal`, { from: at, to: at + 1 + random.below(3000), random })
        const worker = new SqliteWorker(file, { workerUrl: workerUrl(), readers: random.below(2) })
        const read = 'SELECT n, COUNT(*) AS parts FROM t GROUP BY n ORDER BY n'
        const rows = await worker.execute(read)
        expect(rows).toEqual(rows.map((_, n) => ({ n, parts: 3 })))
        lengths.add(rows.length)
        await Promise.all([0, 1, 2].map((part) => worker.insert('t', { n: rows.length, part })))
        expect(await worker.execute(read)).toHaveLength(rows.length + 1)
        expect(await worker.execute('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
        await worker.close()
        for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
      }
      expect(lengths.size).toBeGreaterThan(2)
    },
  )
})
