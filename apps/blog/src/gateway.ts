import { join } from 'node:path'
import { findServer, PhantomDBServerError } from '@outrider/phantomdb'
import { HubServer } from './lib/hub/server.ts'
import { reopenPhantomDB } from './reopen-phantomdb.ts'
import { readSettings } from './settings.ts'

/**
 * The program behind the processes of one data folder: the PhantomDB gateway, unless another one is configured, and the
 * hub. Ends when the last process has left. It ends with 0 at once when another one serves the folder already. When it
 * is killed, the processes that are left start it again, and it is found where it was.
 */
async function main(): Promise<void> {
  const { dataDir, databaseUrl, phantomUrl } = readSettings(process.env)
  const folder = join(dataDir, 'phantomdb')
  if (await findServer(folder)) return
  const phantom =
    phantomUrl === undefined
      ? await reopenPhantomDB({ dataDir: folder, url: databaseUrl, logger: console })
      : undefined
  const hub = new HubServer(phantom && { url: phantom.url, token: phantom.token })
  await hub.listen(dataDir)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => hub.desert())
  await hub.deserted
  await hub.close(dataDir)
  await phantom?.close()
}

main().catch((error: unknown) => {
  if (error instanceof PhantomDBServerError && error.code === 'ERR_ALREADY_SERVED') return // another one was faster
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
