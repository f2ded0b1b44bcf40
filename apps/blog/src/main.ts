import { explain, messageOf } from './explain.ts'
import { seedDemo } from './seed/seed-demo.ts'
import { serve } from './serve.ts'
import { readSettings } from './settings.ts'
import { openSite } from './site.ts'

/** `npm start`: migrates, seeds and serves. Ends on SIGINT or SIGTERM, at once on the second. */
async function main(): Promise<void> {
  const ending = new AbortController()
  const end = (): void => {
    if (ending.signal.aborted) process.exit(130)
    say('\nEnding: finishing what is under way ...')
    ending.abort()
  }
  process.on('SIGINT', end).on('SIGTERM', end)
  const site = await openSite(readSettings(process.env), {
    onError: (error, what) => process.stderr.write(`${what}: ${messageOf(error)}\n`),
  })
  try {
    await site.database.migrate()
    await seedDemo(site, 'system')
    const onListening = (url: string): void => say(`\nOutrider's demo runs at ${url}  (Ctrl-C ends it)`)
    await serve(site, { signal: ending.signal, onListening })
  } finally {
    await site.close()
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${explain(error)}\n`)
    process.exit(1)
  },
)
