import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a running gateway tells other processes in its data folder's `server.json`, readable by its user only. */
export interface ServerInfo {
  readonly url: string
  readonly pid: number
  /** Undefined when no token is needed. */
  readonly token?: string | undefined
  /** What the gateway's /health answers as `instance`, so that another server on its port is not taken for it. */
  readonly instance: string
}

const pathOf = (dataDir: string): string => join(dataDir, 'server.json')

/** Writes `server.json`: readers see the old file or the new one, never half of it. */
export async function writeServerFile(dataDir: string, info: ServerInfo): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const draft = `${pathOf(dataDir)}.${randomUUID()}`
  await writeFile(draft, `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 })
  await rename(draft, pathOf(dataDir))
}

/** Removes `server.json`, unless another gateway has written its own by now. */
export async function removeServerFile(dataDir: string, { instance }: ServerInfo): Promise<void> {
  if ((await readServerFile(dataDir))?.instance === instance) await rm(pathOf(dataDir), { force: true })
}

/**
 * Finds the gateway that serves a data folder, from any process. A `server.json` whose gateway does not answer, or
 * whose port another server has taken since, counts as none.
 */
export async function findServer(dataDir: string): Promise<ServerInfo | undefined> {
  const info = await readServerFile(dataDir)
  return info && (await isAlive(info)) ? info : undefined
}

async function isAlive({ url, instance }: ServerInfo): Promise<boolean> {
  try {
    const reply = await fetch(new URL('/health', url), { signal: AbortSignal.timeout(2000) })
    const health: unknown = await reply.json()
    return (
      typeof health === 'object' && health !== null && 'instance' in health && health.instance === instance
    )
  } catch {
    return false
  }
}

async function readServerFile(dataDir: string): Promise<ServerInfo | undefined> {
  try {
    const info: unknown = JSON.parse(await readFile(pathOf(dataDir), 'utf8'))
    return isServerInfo(info) ? info : undefined
  } catch {
    return undefined
  }
}

function isServerInfo(value: unknown): value is ServerInfo {
  return (
    typeof value === 'object' &&
    value !== null &&
    'url' in value &&
    typeof value.url === 'string' &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'instance' in value &&
    typeof value.instance === 'string'
  )
}
