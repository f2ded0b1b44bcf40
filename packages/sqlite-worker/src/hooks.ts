import { AsyncResource } from 'node:async_hooks'
import { firstKeyword } from './first-keyword.ts'
import { UsageError } from './errors.ts'
import type { StoredValue } from './protocol.ts'

/** What a hook may listen to. */
export const hookNames = ['on_query', 'on_insert', 'on_update', 'on_delete', 'on_select'] as const

/** `on_query` is called for every statement, the others for theirs; REPLACE counts as an insert. */
export type HookName = (typeof hookNames)[number]

type HookParams =
  | readonly StoredValue[]
  | Readonly<Record<string, StoredValue>>
  | readonly (readonly StoredValue[])[]
  | undefined

/** What a hook gets to know of a statement that succeeded. */
export interface HookEvent {
  readonly sql: string
  /** Its parameters as they are stored; several sets for `insert()` of several rows. */
  readonly params: HookParams
  /** The table, where the statement came from `insert()`, `update()`, `delete()` or `select()`. */
  readonly table: string | undefined
  /** What the statement resolved to: rows, or what a write did. No rows for `stream()`, whose consumer takes them. */
  readonly result: unknown
}

/** Called after the statement has been committed. What it throws, or its promise rejects with, is reported and stops nothing. */
export type Hook = (event: HookEvent) => unknown

const hookOf: Readonly<Record<string, HookName>> = {
  INSERT: 'on_insert',
  REPLACE: 'on_insert',
  UPDATE: 'on_update',
  DELETE: 'on_delete',
  SELECT: 'on_select',
  VALUES: 'on_select',
}

/** The hooks of one worker. */
export class Hooks {
  readonly #hooks = new Map<HookName, Set<Hook>>()
  /** Where the worker was made: a hook's own calls belong to no transaction that happens to be open. */
  readonly #origin = new AsyncResource('SqliteWorkerHooks')
  readonly #onError: (error: unknown) => void
  /** Whether there is none, so that nothing need be told. */
  isEmpty = true

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  /** @throws {UsageError} for another name or no function. */
  register(name: HookName, hook: Hook): void {
    check(name, hook)
    const hooks = this.#hooks.get(name) ?? new Set()
    this.#hooks.set(name, hooks.add(hook))
    this.isEmpty = false
  }

  /** Takes one hook back, or all of a name. Returns whether there was one. @throws {UsageError} for another name or no function. */
  unregister(name: HookName, hook?: Hook): boolean {
    check(name, hook ?? (() => {}))
    const hooks = this.#hooks.get(name)
    const existed = hook ? (hooks?.delete(hook) ?? false) : hooks !== undefined
    if (!hook || hooks?.size === 0) this.#hooks.delete(name)
    this.isEmpty = this.#hooks.size === 0
    return existed
  }

  /** Tells the hooks, in the order of the statements, once whoever waits for these statements has been told. */
  fire(events: readonly HookEvent[]): void {
    this.#origin.runInAsyncScope(() => queueMicrotask(() => this.#tell(events)))
  }

  #tell(events: readonly HookEvent[]): void {
    for (const event of events) {
      const own = hookOf[firstKeyword(event.sql)]
      this.#call('on_query', event)
      if (own) this.#call(own, event)
    }
  }

  #call(name: HookName, event: HookEvent): void {
    for (const hook of this.#hooks.get(name) ?? []) {
      try {
        Promise.resolve(hook(event)).catch(this.#onError)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}

function check(name: unknown, hook: unknown): void {
  if (!(hookNames as readonly unknown[]).includes(name)) {
    throw new UsageError('ERR_INVALID_ARGUMENT', `Expected a hook's name out of ${hookNames.join(', ')}`)
  }
  if (typeof hook !== 'function')
    throw new UsageError('ERR_INVALID_ARGUMENT', `Expected a hook to be a function, got ${typeof hook}`)
}
