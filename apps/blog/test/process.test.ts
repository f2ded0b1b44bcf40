import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SqliteWorker } from '@outrider/sqlite-worker'
import { describeWith, eventually, startRedis } from '@outrider/test-kit'
import { expect, it, onTestFinished } from 'vitest'
import { dataFolder, manage } from './fixture.ts'

interface Site {
  readonly child: ChildProcess
  /** Resolves to the address once it is printed. */
  readonly url: Promise<string>
  readonly ended: Promise<{ code: number | null; output: string }>
}

/** Runs the built site as `npm start` does. */
async function start(env: Record<string, string>): Promise<Site> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../dist/main.js', import.meta.url))], {
    env: { ...process.env, REDIS_URL: '', DATABASE_URL: '', PHANTOMDB_HOST: '', ...env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  const ended = once(child, 'close').then(([code]: (number | null)[]) => ({ code: code ?? null, output }))
  const url = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += String(text)
        const address = /http:\/\/\S+/.exec(output)?.[0]
        if (address) resolve(address)
      })
    }
    void ended.then(() => reject(new Error(output)))
  })
  url.catch(() => {})
  return { child, url, ended }
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const statusOf = async (url: string): Promise<string | undefined> =>
  /id="status">(\w+)</.exec(await (await fetch(url)).text())?.[1]

const HEADER =
  'book_id,goodreads_book_id,isbn,authors,original_publication_year,title,language_code,average_rating,ratings_count'
const FILE = [
  HEADER,
  '1,2767052,439023483,Suzanne Collins,2008.0,"The Hunger Games (The Hunger Games, #1)",eng,4.34,4780653',
  '2,3,439554934,"J.K. Rowling, Mary GrandPré",1997.0,Harry Potter,eng,4.44,4602479',
  '3,1381,,Homer,-720.0,The Odyssey,eng,3.73,670326',
  '4,9,12,Nobody,nineteen,A broken year,eng,3.0,5',
  '',
].join('\n')

describeWith('postgres', 'npm start', () => {
  it(
    'serves, survives kill -9 with its data and its running PostgreSQL, and ends cleanly',
    { timeout: 90_000 },
    async () => {
      const dataDir = await dataFolder()
      const first = await start({ PORT: '0', DATA_DIR: dataDir })
      const url = await first.url
      expect(await statusOf(`${url}/books/1`)).toBe('MISS')
      const postmaster = await readFile(join(dataDir, 'phantomdb/postgres/postmaster.pid'), 'utf8')
      first.child.kill('SIGKILL')
      await first.ended

      const second = await start({ PORT: '0', DATA_DIR: dataDir })
      expect(await statusOf(`${await second.url}/books/1`)).toBe('MISS')
      expect(await readFile(join(dataDir, 'phantomdb/postgres/postmaster.pid'), 'utf8')).toBe(postmaster)
      second.child.kill('SIGINT')
      expect(await second.ended).toMatchObject({ code: 0, output: expect.stringContaining('Ending') })
      await eventually(() => !existsSync(join(dataDir, 'phantomdb/postgres/postmaster.pid')), {
        timeoutMs: 15_000,
      })
    },
  )

  it(
    'shows at once what a command imports, and keeps the rest of its cache',
    { timeout: 90_000 },
    async () => {
      const dataDir = await dataFolder()
      const file = join(dataDir, 'books.csv')
      await writeFile(file, FILE)
      const site = await start({ PORT: '0', DATA_DIR: dataDir })
      const url = await site.url
      const list = async (): Promise<string> => (await fetch(`${url}/books/`)).text()
      expect(await list()).toContain('36 books')
      await statusOf(`${url}/books/1`)

      const dry = await manage(dataDir, ['import_books', file, '--dry-run'])
      expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('books: 3 created') })
      expect(await list()).toContain('36 books')

      const imported = await manage(dataDir, ['import_books', file])
      expect(imported).toMatchObject({ code: 0 })
      expect(imported.stdout).toContain('rows: 4 read, 3 cleaned, 0 dropped, 1 rejected')
      expect(imported.stdout).toContain('books: 3 created, 0 updated, 0 unchanged')
      expect(imported.stdout).toContain('authors: 4 created, 0 updated, 0 unchanged')
      expect(await readFile(`${file}.rejects.csv`, 'utf8')).toContain(
        '4,5,publicationYear,converter,Expected a whole year',
      )
      const after = await list()
      expect(after).toContain('39 books')
      expect(after).toContain('720 BC')
      expect(await statusOf(`${url}/books/1`)).toBe('HIT')

      const again = await manage(dataDir, ['import_books', file])
      expect(again.stdout).toContain('books: 0 created, 0 updated, 3 unchanged')

      await fetch(`${url}/posts/a-tour-in-two-minutes`)
      expect(await manage(dataDir, ['process_analytics'])).toMatchObject({
        code: 0,
        stdout: 'Analytics processed\n',
      })
      expect(await manage(dataDir, ['clear_book_cache', '--all-books'])).toMatchObject({
        code: 0,
        stdout: 'All book cache cleared\n',
      })
      expect(await statusOf(`${url}/books/1`)).toBe('MISS')
      site.child.kill('SIGTERM')
      expect(await site.ended).toMatchObject({ code: 0 })

      await using worker = new SqliteWorker(join(dataDir, 'analytics.db'))
      expect(
        await worker.execute(
          `SELECT model, action, COUNT(*) AS objects FROM audit_log WHERE actor = 'import_books'
          GROUP BY model, action ORDER BY model`,
        ),
      ).toEqual([
        { model: 'authors', action: 'created', objects: 4 },
        { model: 'book_authors', action: 'created', objects: 4 },
        { model: 'books', action: 'created', objects: 3 },
      ])
    },
  )

  it.each([
    [['nonsense'], 2, 'Unknown command "nonsense"\n'],
    [['import_books', '--nope', 'x.csv'], 2, expect.stringContaining("Unknown option '--nope'")],
    [['clear_book_cache'], 1, expect.stringContaining('Specify --tag or --all-books\n')],
    [['import_books', fileURLToPath(import.meta.url)], 1, expect.stringContaining('Wrong header')],
  ])(
    'answers a wrong command in a line, without a stack: manage %j',
    { timeout: 60_000 },
    async (args, code, stderr) => {
      const result = await manage(await dataFolder(), args)
      expect(result).toMatchObject({ code, stderr, stdout: '' })
      expect(result.stderr).not.toMatch(/^\s+at /m)
    },
  )
})

describeWith(['postgres', 'redis'], 'two processes with the same REDIS_URL', () => {
  it('share one cache, and a command clears it for both', { timeout: 90_000 }, async () => {
    const redis = await startRedis({ args: [] })
    onTestFinished(() => redis.stop())
    const dataDir = await dataFolder()
    const env = { PORT: '0', DATA_DIR: dataDir, REDIS_URL: redis.url }
    const sites = [await start(env), await start(env)]
    const [one = '', two = ''] = await Promise.all(sites.map(({ url }) => url))
    expect(await (await fetch(one)).text()).toContain('The cache lives in Redis')
    await eventually(async () => expect(await statusOf(`${one}/books/1`)).toBe('HIT'))
    await eventually(async () => expect(await statusOf(`${two}/books/1`)).toBe('HIT'))
    const cleared = await manage(dataDir, ['clear_book_cache', '--tag', 'book:1'], { REDIS_URL: redis.url })
    expect(cleared).toMatchObject({ code: 0, stdout: 'Cache with tag "book:1" cleared\n' })
    expect(await statusOf(`${one}/books/1`)).toBe('MISS')
    const { stdout } = await manage(dataDir, ['cache_stats'], { REDIS_URL: redis.url })
    for (const { child } of sites) expect(stdout).toContain(`Process ${child.pid}: in Redis; `)
    for (const { child } of sites) child.kill('SIGTERM')
    for (const { ended } of sites) expect(await ended).toMatchObject({ code: 0 })
  })
})

describeWith('postgres', 'a gateway that is killed alone', () => {
  const gatewayOf = async (dataDir: string) =>
    JSON.parse(await readFile(join(dataDir, 'phantomdb/server.json'), 'utf8')) as {
      readonly url: string
      readonly pid: number
      readonly token: string
    }

  it(
    'comes back where it was, and all sites of its folder answer again by themselves',
    {
      timeout: 90_000,
    },
    async () => {
      const dataDir = await dataFolder()
      const sites = [
        await start({ PORT: '0', DATA_DIR: dataDir }),
        await start({ PORT: '0', DATA_DIR: dataDir }),
      ]
      const urls = await Promise.all(sites.map(({ url }) => url))
      let killed = await gatewayOf(dataDir)
      for (const page of ['/books/2', '/books/3']) {
        process.kill(killed.pid, 'SIGKILL')
        await eventually(() => !isRunning(killed.pid))
        for (const url of urls)
          await eventually(async () => (await fetch(`${url}${page}`)).status === 200, { timeoutMs: 30_000 })
        const revived = await gatewayOf(dataDir)
        expect(revived.pid).not.toBe(killed.pid)
        expect(revived).toMatchObject({ url: killed.url, token: killed.token })
        killed = revived
      }

      expect(await manage(dataDir, ['clear_book_cache', '--all-books'])).toMatchObject({ code: 0 })
      for (const url of urls) expect(await statusOf(`${url}/books/3`)).toBe('MISS')
      for (const { child } of sites) child.kill('SIGTERM')
      for (const { ended } of sites) expect(await ended).toMatchObject({ code: 0 })
      await eventually(() => !existsSync(join(dataDir, 'phantomdb/postgres/postmaster.pid')), {
        timeoutMs: 15_000,
      })
    },
  )
})

describeWith('postgres', 'ending', () => {
  it('does not wait for a connection over which nothing came', async () => {
    const { child, url, ended } = await start({ PORT: '0', DATA_DIR: await dataFolder() })
    const { port } = new URL(await url)
    const silent = connect(Number(port), '127.0.0.1')
    const half = connect(Number(port), '127.0.0.1')
    half.write('GET / HTTP/1.1\r\nHost: x\r\n')
    for (const socket of [silent, half]) socket.on('error', () => {})
    await once(silent, 'connect')
    await fetch(await url) // by now both have been accepted
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 0 })
  })

  it('says in one line that a port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const { code, output } = await (await start({ PORT: String(port), DATA_DIR: await dataFolder() })).ended
    expect(code).toBe(1)
    expect(output).toBe(`Port ${port} is taken by another program. Choose another: PORT=8001 npm start\n`)
  })

  it('says which variable does not fit', async () => {
    const { code, output } = await (await start({ PORT: 'eighty' })).ended
    expect(code).toBe(1)
    expect(output).toMatch(/^These environment variables do not fit:\n {2}PORT: .*\n$/)
  })
})
