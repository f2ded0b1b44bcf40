import { execFileSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openWorker, temporaryFile, workerUrl } from './fixture.ts'

describe('with fake timers', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('statements, transactions and closing end as ever', async () => {
    const worker = openWorker()
    vi.useFakeTimers()
    await worker.execute('CREATE TABLE t (n)')
    await worker.transaction(async (tx) => {
      void tx.insert('t', { n: 1 })
      await tx.insert('t', { n: 2 })
    })
    expect(await worker.select('t')).toEqual([{ n: 1 }, { n: 2 }])
    await worker.close()
  })
})

describe('in a bundle', () => {
  // CommonJS has no import.meta.url
  it.each(['esm', 'cjs'] as const)('of format %s, it runs with workerUrl', async (format) => {
    const folder = fileURLToPath(new URL('.', workerUrl()))
    const program = `${temporaryFile()}.ts`
    const outfile = `${folder}/bundle-${format}.${format === 'esm' ? 'mjs' : 'cjs'}`
    copyFileSync(fileURLToPath(workerUrl()), `${folder}/sqlite-worker.mjs`)
    const here = format === 'esm' ? 'import.meta.url' : '`file://${__filename}`'
    writeFileSync(
      program,
      `import { SqliteWorker } from ${JSON.stringify(fileURLToPath(new URL('../src/index.ts', import.meta.url)))}
       const worker = new SqliteWorker(':memory:', { workerUrl: new URL('./sqlite-worker.mjs', ${here}) })
       void worker.execute('SELECT 1 AS one').then((rows) => (console.log(JSON.stringify(rows)), worker.close()))`,
    )
    await build({
      entryPoints: [program],
      outfile,
      bundle: true,
      format,
      platform: 'node',
      external: ['better-sqlite3'],
      logLevel: 'error',
    })
    expect(execFileSync(process.execPath, [outfile], { encoding: 'utf8' })).toBe('[{"one":1}]\n')
  })
})
