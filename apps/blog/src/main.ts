import { buildApp } from './app.ts'
import { readSettings, SettingsError } from './settings.ts'
import { trackSilentConnections } from './silent-connections.ts'

/** How long a request may go on after the site was told to end. */
const END_TIMEOUT_MS = 5000

/** Starts the site; ends it on SIGINT or SIGTERM, at once on the second. */
async function main(): Promise<void> {
  const settings = readSettings(process.env)
  const app = await buildApp(settings)
  const endSilentConnections = trackSilentConnections(app.server)
  let ending = false
  const end = (): void => {
    if (ending) process.exit(130)
    ending = true
    say('\nEnding: finishing what is under way ...')
    endSilentConnections()
    setTimeout(() => app.server.closeAllConnections(), END_TIMEOUT_MS).unref()
    app.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    )
  }
  process.on('SIGINT', end).on('SIGTERM', end)
  try {
    const url = await app.listen({ host: settings.host, port: settings.port })
    say(`\nOutrider's demo runs at ${url}  (Ctrl-C ends it)`)
  } catch (error) {
    await app.close()
    throw error
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** One line for what a user can mend, the whole error for what is ours to mend. */
function explain(error: unknown): string {
  if (error instanceof SettingsError) return error.message
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as NodeJS.ErrnoException & { port?: number }
  if (code === 'EADDRINUSE')
    return `Port ${port} is taken by another program. Choose another: PORT=8001 npm start`
  if (code === 'EACCES' && port !== undefined)
    return `This user may not listen on port ${port}. Choose another: PORT=8001 npm start`
  return error.stack ?? error.message
}

function fail(error: unknown): void {
  process.stderr.write(`${explain(error)}\n`)
  process.exitCode = 1
}

main().catch(fail)
