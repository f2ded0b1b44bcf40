import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { eventually, startPostgresServer, temporaryDirectory } from '@outrider/test-kit'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../src/app.ts'
import { seedDemo } from '../src/seed/seed-demo.ts'
import type { Settings } from '../src/settings.ts'
import { openSite, type Site } from '../src/site.ts'

/** A folder for a site's data, which the user that PostgreSQL runs as may pass through. */
export async function dataFolder(): Promise<string> {
  const { path } = await temporaryDirectory()
  await chmod(path, 0o711)
  return path
}

export interface TestSite {
  readonly site: Site
  readonly app: FastifyInstance
  readonly settings: Settings
  /** Opens the same site once more, as another process would. */
  again(changes?: Partial<Settings>): Promise<{ site: Site; app: FastifyInstance }>
  stop(): Promise<void>
}

/** A migrated and seeded site on a PostgreSQL of its own. */
export async function startSite(changes: Partial<Settings> = {}): Promise<TestSite> {
  const server = await startPostgresServer()
  const dataDir = await dataFolder()
  const settings: Settings = {
    host: '127.0.0.1',
    port: 0,
    dataDir,
    analyticsFile: join(dataDir, 'analytics.db'),
    redisUrl: undefined,
    databaseUrl: server.url,
    phantomUrl: undefined,
    adminToken: undefined,
    ...changes,
  }
  const opened: { site: Site; app: FastifyInstance }[] = []
  const again = async (others: Partial<Settings> = {}) => {
    const site = await openSite({ ...settings, ...others }, { onError: () => {} })
    const app = await buildApp(site)
    app.log.level = 'silent'
    opened.push({ site, app })
    return { site, app }
  }
  const { site, app } = await again()
  await site.database.migrate()
  await seedDemo(site, 'system')
  return {
    site,
    app,
    settings,
    again,
    async stop() {
      for (const each of opened) {
        await each.app.close()
        await each.site.close()
      }
      await eventually(() => !existsSync(join(dataDir, 'hub.json')))
      await server.stop()
    },
  }
}

/** What a page answers: its status, its HIT or MISS, and its text. */
export async function view(app: FastifyInstance, url: string) {
  const { body, statusCode } = await app.inject(url)
  return { code: statusCode, status: /id="status">(\w+)</.exec(body)?.[1], body }
}

/** How a management command ended. */
export interface Managed {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a management command of the site in a folder, in a process of its own, with no services but those of `env`. */
export async function manage(
  dataDir: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Managed> {
  const program = fileURLToPath(new URL('../dist/manage.js', import.meta.url))
  const services = { REDIS_URL: '', DATABASE_URL: '', PHANTOMDB_HOST: '', ...env }
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, ...services, DATA_DIR: dataDir },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => (stdout += String(text)))
  child.stderr.on('data', (text) => (stderr += String(text)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}
