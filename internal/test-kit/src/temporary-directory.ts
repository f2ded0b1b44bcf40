import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guard } from './guard.ts'

/** A folder for one test; `await using` removes it at the end of the block. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string
  /** Removes the folder with all its content. Does nothing the second time. */
  remove(): Promise<void>
}

/** Makes an empty private folder, which is also removed when the process ends, however it ends. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'outrider-test-'))
  const release = guard({ removeDir: path })
  const remove = async () => {
    await rm(path, { recursive: true, force: true, maxRetries: 5 })
    release()
  }
  return { path, remove, [Symbol.asyncDispose]: remove }
}
