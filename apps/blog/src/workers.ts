import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { SqliteWorker } from '@outrider/sqlite-worker'
import { analyticsSchema } from './analytics.ts'
import { auditSchema } from './audit-log.ts'
import type { Settings } from './settings.ts'

/** The SQLite files of the site. */
export type WorkerAlias = 'analytics'

const schemas: Record<WorkerAlias, readonly string[]> = { analytics: [...analyticsSchema, ...auditSchema] }

/** The workers of this process: one a file, however often the site is open in it. */
const shared = new Map<string, { readonly worker: SqliteWorker; holders: number }>()

/** The workers that an open site uses. */
export class Workers {
  readonly #files: Readonly<Record<WorkerAlias, string>>
  readonly #held = new Set<string>()

  constructor({ analyticsFile }: Settings) {
    this.#files = { analytics: analyticsFile }
  }

  /** The worker of a file, opened with the first call. @throws when the folder of the file cannot be made */
  getWorker(alias: WorkerAlias): SqliteWorker {
    const file = this.#files[alias]
    const entry = shared.get(file) ?? { worker: openWorker(alias, file), holders: 0 }
    shared.set(file, entry)
    if (!this.#held.has(file)) entry.holders += 1
    this.#held.add(file)
    return entry.worker
  }

  /** Writes what waits and closes the files that nobody else in this process has open. */
  async close(): Promise<void> {
    const files = [...this.#held]
    this.#held.clear()
    await Promise.all(files.map((file) => release(file)))
  }
}

function openWorker(alias: WorkerAlias, file: string): SqliteWorker {
  mkdirSync(dirname(file), { recursive: true })
  return new SqliteWorker(file, { executeInit: schemas[alias] })
}

async function release(file: string): Promise<void> {
  const entry = shared.get(file)
  if (!entry) return
  entry.holders -= 1
  if (entry.holders > 0) return
  shared.delete(file)
  await entry.worker.close()
}
