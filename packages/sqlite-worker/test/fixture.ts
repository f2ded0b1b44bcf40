import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject, onTestFinished } from 'vitest'
import { SqliteWorker, type SqliteWorkerOptions } from '../src/index.ts'

/** Where the bundled worker script is, for programs that open a worker themselves. */
export const workerUrl = (): URL => new URL(inject('workerUrl'))

/** A path for a database that goes with the test. */
export function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sqlite-worker-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'test.db')
}

/** A worker on a real file; closed after the test. Unobserved errors fail the test unless it handles them. */
export function openWorker(options: SqliteWorkerOptions & { file?: string } = {}): SqliteWorker {
  const { file = temporaryFile(), ...rest } = options
  const unobserved: unknown[] = []
  const worker = new SqliteWorker(file, {
    workerUrl: workerUrl(),
    onUnobservedError: (error) => unobserved.push(error),
    ...rest,
  })
  onTestFinished(async () => {
    await worker.close()
    if (unobserved.length > 0) throw new AggregateError(unobserved, 'errors that nobody awaited')
  })
  return worker
}

/** A promise to be resolved by hand, to hold a transaction open. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open: () => open() }
}
