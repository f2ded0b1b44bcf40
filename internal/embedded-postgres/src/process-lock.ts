import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from './file-errors.ts'
import { isProcessAlive, processStartTime } from './process.ts'

/** How {@link withProcessLock} waits. */
export interface ProcessLockOptions {
  /** How long to wait for another holder. @default Infinity */
  timeoutMs?: number
}

/** Thrown by {@link withProcessLock} when another living process kept the lock for the whole `timeoutMs`. */
export class LockTimeoutError extends Error {
  override readonly name = 'LockTimeoutError'
  /** The process that holds the lock. */
  readonly holderPid: number

  constructor(path: string, holderPid: number) {
    super(`The lock ${path} is held by process ${holderPid}`)
    this.holderPid = holderPid
  }
}

interface Holder {
  pid: number
  startTime: string | undefined
  token: string
}

/**
 * Runs `action` while no other process (and no other call in this one) runs its action under the same lock file.
 * The folder of `path` must exist. The lock of a dead process is taken over; the file is removed at the end.
 * @throws {LockTimeoutError} when a living process keeps the lock longer than `timeoutMs`
 */
export async function withProcessLock<T>(
  path: string,
  action: () => Promise<T>,
  options: ProcessLockOptions = {},
): Promise<T> {
  const deadline = performance.now() + (options.timeoutMs ?? Infinity)
  const self: Holder = { pid: process.pid, startTime: processStartTime(process.pid), token: randomUUID() }
  const draft = `${path}.${self.token}`
  await writeFile(draft, JSON.stringify(self), { mode: 0o600 })
  try {
    // A hard link appears with its whole content at once, and only if no lock is there.
    while (!(await tryLink(draft, path))) await waitForHolder(path, deadline)
  } finally {
    await rm(draft, { force: true })
  }
  try {
    return await action()
  } finally {
    await rm(path, { force: true })
  }
}

async function waitForHolder(path: string, deadline: number): Promise<void> {
  const holder = await readHolder(path)
  if (!holder) return
  if (!isProcessAlive(holder.pid, holder.startTime)) {
    // Whoever holds the dead holder's own token may remove its lock, and only while it is still that lock:
    // so a slow process can never remove the lock of a successor.
    await withProcessLock(`${path}.${holder.token}.dead`, async () => {
      const current = await readHolder(path)
      if (current?.token === holder.token) await rm(path, { force: true })
    })
    return
  }
  if (performance.now() >= deadline) throw new LockTimeoutError(path, holder.pid)
  await sleep(20)
}

async function tryLink(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    if (isHolder(value)) return value
  } catch {
    // Not written by withProcessLock, or lost in a power cut: nobody holds it.
  }
  return { pid: -1, startTime: undefined, token: 'unreadable' }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== 'object' || value === null) return false
  return (
    'pid' in value && typeof value.pid === 'number' && 'token' in value && typeof value.token === 'string'
  )
}
