import { buildApp } from './app.ts'
import { trackSilentConnections } from './silent-connections.ts'
import type { Site } from './site.ts'

/** How long a request may go on after the site was told to end. */
const END_TIMEOUT_MS = 5000

export interface ServeOptions {
  /** Ends the service when it aborts. */
  readonly signal: AbortSignal
  /** Called once pages can be had. */
  readonly onListening: (url: string) => void
}

/** Serves the pages of a site until it is told to end; requests under way are finished. @throws when its port is taken */
export async function serve(site: Site, { signal, onListening }: ServeOptions): Promise<void> {
  const app = await buildApp(site)
  const endSilentConnections = trackSilentConnections(app.server)
  try {
    const { host, port } = site.settings
    onListening(await app.listen({ host, port }))
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    endSilentConnections()
    setTimeout(() => app.server.closeAllConnections(), END_TIMEOUT_MS).unref()
  } finally {
    await app.close()
  }
}
