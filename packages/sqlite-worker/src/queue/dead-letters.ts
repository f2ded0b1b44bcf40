import { checkOptions, type OptionChecks } from '../check-options.ts'
import { UsageError } from '../errors.ts'
import { isCount, isName } from './checks.ts'
import type { Hub } from './hub.ts'
import { JOB_COLUMNS, toJob, type Job, type JobRow } from './job.ts'
import type { Store } from './store.ts'

export interface DeadListOptions {
  /** The most jobs to return, 1 to 10000. @default 100 */
  limit?: number
  /** Only jobs of this task. @default all */
  task?: string
}

const checks: OptionChecks<DeadListOptions> = {
  limit: { expected: 'an integer from 1 to 10000', accepts: (value) => isCount(value) && value <= 10_000 },
  task: { expected: 'a non-empty string', accepts: isName },
}

const DEAD = 'queue = ? AND state > 1 AND state = 6'
const LIST = `SELECT ${JOB_COLUMNS} FROM outrider_queue_jobs WHERE ${DEAD} AND (? IS NULL OR task = ?)
  ORDER BY at DESC, id DESC LIMIT ?`
const AGAIN = `UPDATE outrider_queue_jobs SET state = 0, at = NULL, attempts = 0 WHERE ${DEAD}`
const REMOVE = `DELETE FROM outrider_queue_jobs WHERE ${DEAD}`
const THESE = ' AND id IN (SELECT value FROM json_each(?))'

/** The jobs of a queue that failed for good. */
export class DeadLetters {
  readonly #store: Store
  readonly #hub: Hub

  constructor(store: Store, hub: Hub) {
    this.#store = store
    this.#hub = hub
  }

  /** Those that died last come first. */
  async list(options: DeadListOptions = {}): Promise<Job[]> {
    checkOptions(options, checks)
    await this.#store.ready
    const { limit = 100, task = null } = options
    const rows = await this.#store.read<JobRow>(LIST, [this.#store.id, task, task, limit])
    return rows.map(toJob)
  }

  /** Lets jobs run again, with all their attempts; without ids, all that are dead. Resolves to how many. */
  async requeue(ids?: number | readonly number[]): Promise<number> {
    const changes = await this.#change(AGAIN, ids)
    if (changes > 0) this.#hub.added()
    return changes
  }

  /** Removes jobs; without ids, all that are dead. Resolves to how many. */
  async remove(ids?: number | readonly number[]): Promise<number> {
    return this.#change(REMOVE, ids)
  }

  async #change(sql: string, ids: number | readonly number[] | undefined): Promise<number> {
    const list = typeof ids === 'number' ? [ids] : ids
    if (list !== undefined && !(Array.isArray(list) && list.every((id) => Number.isSafeInteger(id)))) {
      throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected ids to be a job id or a list of them')
    }
    await this.#store.ready
    const { id } = this.#store
    const { changes } = list
      ? await this.#store.write(sql + THESE, [id, JSON.stringify(list)])
      : await this.#store.write(sql, [id])
    return changes
  }
}
