import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  PhantomDBServerError,
  startPhantomDB,
  type PhantomDBServer,
  type StartPhantomDBOptions,
} from '@outrider/phantomdb'
import { z } from 'zod'

/** How long to wait before each look at the old port: 3 s in all. */
const PAUSES_MS = [0, 100, 200, 400, 800, 1500]

/** What a gateway that was killed leaves in `server.json`; one that ended in order removes the file. */
const left = z.object({ url: z.url(), token: z.string().regex(/^[\x21-\x7e]{16,}$/) })

/**
 * Starts the PhantomDB gateway of a folder. After one that was killed it takes the same port and token, so that the
 * processes that used it find it again without being told.
 *
 * When another program keeps the port, it takes a new one, and a new token: that program may have been sent the old.
 * @throws as `startPhantomDB`
 */
export async function reopenPhantomDB(
  options: Pick<StartPhantomDBOptions, 'url' | 'logger'> & { readonly dataDir: string },
): Promise<PhantomDBServer> {
  const old = await addressIn(options.dataDir)
  for (const pauseMs of old ? PAUSES_MS : []) {
    await sleep(pauseMs)
    if (old && !(await isFree(old.port))) continue
    try {
      return await startPhantomDB({ ...options, ...old })
    } catch (error) {
      // taken since, if only by another process that looked whether it is free
      if (!(error instanceof PhantomDBServerError && error.code === 'ERR_LISTEN')) throw error
    }
  }
  return startPhantomDB({ ...options, port: 0, auth: 'token' })
}

async function addressIn(dataDir: string): Promise<{ port: number; auth: { token: string } } | undefined> {
  try {
    const { url, token } = left.parse(JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')))
    return { port: Number(new URL(url).port), auth: { token } }
  } catch {
    return undefined // none, or not one of a gateway with a token
  }
}

/** Cheaper than to start a gateway only to see it fail. */
async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
    probe.close()
    await once(probe, 'close')
    return true
  } catch {
    return false
  }
}
