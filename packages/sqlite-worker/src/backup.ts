import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { BackupProgress } from './engine/backup-run.ts'
import { BackupRun } from './engine/backup-run.ts'
import type { Engine } from './engine/engine.ts'
import { OpenError, UsageError, WorkerDiedError } from './errors.ts'
import { Control } from './protocol.ts'

export interface BackupOptions {
  /** Called now and then while the copy is made, and at its end. What it throws ends the wait, not the copy. */
  progress?: BackupProgress
}

/** Copies the database as it is now into another file. @throws {UsageError} for a path that is none, or its own. */
export async function backUp(
  engine: Engine,
  path: string,
  { progress = () => {} }: BackupOptions,
): Promise<void> {
  if (typeof path !== 'string' || path.trim() === '' || path.includes('\0'))
    throw new UsageError('ERR_INVALID_ARGUMENT', `Expected the path of a file to copy to, got ${typeof path}`)
  if (isSameFile(path.trim(), engine.file))
    throw new UsageError('ERR_INVALID_ARGUMENT', 'Expected the path of another file than the database itself')
  const target = resolve(path.trim()) // here, so that all threads mean the same file
  return engine.mayLease ? fromReader(engine, target, progress) : fromWriter(engine, target, progress)
}

/** Beside the writer, which goes on. */
async function fromReader(engine: Engine, path: string, progress: BackupProgress): Promise<void> {
  const lease = await engine.lease('causal')
  const run = new BackupRun(progress)
  let isDone = false
  lease.onBackup = (message) => {
    isDone ||= message.isDone
    run.receive(message)
    if (isDone) lease.release()
  }
  lease.onDied = (cause) => run.fail(cause instanceof OpenError ? cause : new WorkerDiedError(false, cause))
  lease.thread.hold(true)
  lease.thread.post({ type: 'backup', path })
  await run.done
}

/** Where only one connection sees the database: it does nothing else meanwhile. */
async function fromWriter(engine: Engine, path: string, progress: BackupProgress): Promise<void> {
  const turn = engine.open(engine.root, Control.beginImmediate) // never begun: only its place in line is wanted
  await turn.granted
  await turn.held
  try {
    await engine.backUp(path, progress)
  } finally {
    turn.end('rollback')
    engine.schedule()
  }
}

/** Whether two paths are, or would be, one file, also through links. A copy onto itself would undo what is written meanwhile. */
function isSameFile(one: string, other: string): boolean {
  if (resolve(one) === resolve(other)) return true
  const [a, b] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
  return a !== undefined && a.dev === b?.dev && a.ino === b.ino
}
