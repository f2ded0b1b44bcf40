import { join } from 'node:path'
import { findServer, startPhantomDB } from '@outrider/phantomdb'
import { HubServer } from './lib/hub/server.ts'
import { readSettings } from './settings.ts'

/**
 * The program behind the processes of one data folder: the PhantomDB gateway, unless another one is configured, and the
 * hub. Ends when the last process has left. It ends with 0 at once when another one serves the folder already.
 */
async function main(): Promise<void> {
  const { dataDir, databaseUrl, phantomUrl } = readSettings(process.env)
  const folder = join(dataDir, 'phantomdb')
  if (await findServer(folder)) return
  const phantom =
    phantomUrl === undefined
      ? await startPhantomDB({ dataDir: folder, url: databaseUrl, port: 0, auth: 'token', logger: console })
      : undefined
  const hub = new HubServer(phantom && { url: phantom.url, token: phantom.token })
  await hub.listen(dataDir)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => hub.desert())
  await hub.deserted
  await hub.close(dataDir)
  await phantom?.close()
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
