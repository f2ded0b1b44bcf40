import { randomBytes, randomUUID } from 'node:crypto'
import { isIPv6, type AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { alreadyServed, startEmbedded } from './engine/embedded.ts'
import type { Engine } from './engine/engine.ts'
import { useExternal } from './engine/external.ts'
import { PhantomDBServerError } from './errors.ts'
import { createApp } from './http/app.ts'
import { isLoopback } from './http/loopback.ts'
import { RunningCalls } from './http/running-calls.ts'
import { resolveOptions, type Auth, type ResolvedOptions, type StartPhantomDBOptions } from './options.ts'
import { Databases } from './postgres/databases.ts'
import { findServer, removeServerFile, writeServerFile, type ServerInfo } from './server-file.ts'
import { TransactionRegistry } from './transactions/registry.ts'

/** How a gateway ends. */
export interface CloseOptions {
  /** Leaves an embedded PostgreSQL running; the next gateway adopts it. @default false */
  keepPostgres?: boolean | undefined
}

/** A gateway that listens. */
export interface PhantomDBServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** What callers send as `Authorization: Bearer …`; undefined without authentication. */
  readonly token: string | undefined
  readonly engine: 'embedded' | 'external'
  /** PostgreSQL's version, such as `18.4`. */
  readonly version: string
  /** Whether the embedded PostgreSQL ran already: left behind by a gateway that was killed, or kept. */
  readonly adopted: boolean
  /**
   * Stops listening, rolls open transactions back, lets running calls finish for up to 10 s, and stops the embedded
   * PostgreSQL. Calls after the first change nothing.
   */
  close(options?: CloseOptions): Promise<void>
}

/** How long running calls may go on once the gateway closes. */
const closeGraceMs = 10_000

/**
 * Starts a gateway in front of the embedded PostgreSQL of a data folder, or of the one at `url`.
 * @throws {PhantomDBServerError} see the table in the README
 * @throws {EmbeddedPostgresError} when the embedded PostgreSQL does not start
 * @throws {TypeError} for options that do not fit
 */
export async function startPhantomDB(options: StartPhantomDBOptions = {}): Promise<PhantomDBServer> {
  const resolved = resolveOptions(options)
  const { dataDir, url, auth, host } = resolved
  if (auth === 'none' && !isLoopback(host)) {
    throw new PhantomDBServerError(
      'ERR_AUTH_REQUIRED',
      `Without authentication only loopback addresses are served, not ${host}`,
    )
  }
  const served = dataDir === undefined ? undefined : await findServer(dataDir)
  if (dataDir !== undefined && served) throw alreadyServed(dataDir, served.url)
  const engine = await startEngine(url, dataDir, resolved)
  try {
    return await startGateway(engine, resolved)
  } catch (error) {
    await engine.release(!engine.adopted)
    throw error
  }
}

async function startEngine(
  url: string | undefined,
  dataDir: string | undefined,
  { logger, maxConnections, maxTransactions }: ResolvedOptions,
): Promise<Engine> {
  if (url !== undefined || dataDir === undefined) return useExternal(url ?? '')
  return await startEmbedded(dataDir, logger, 4 * (maxConnections + maxTransactions))
}

async function startGateway(engine: Engine, options: ResolvedOptions): Promise<PhantomDBServer> {
  const { dataDir, logger, transactionTimeoutMs } = options
  const databases = new Databases({ ...options, url: engine.url })
  const transactions = new TransactionRegistry(databases)
  const instance = randomUUID()
  const token = tokenOf(options.auth)
  const calls = new RunningCalls()
  try {
    const version = await versionOf(databases)
    const app = createApp(
      { databases, transactions, transactionTimeoutMs, engine: engine.kind, version, instance },
      {
        token,
        maxBodyBytes: options.maxBodyBytes,
        calls,
        onInternalError: (error, requestId) => logger.warn(`Call ${requestId} failed: ${nameOf(error)}`),
      },
    )
    const url = await listen(app, options)
    const info: ServerInfo = { url, pid: process.pid, token, instance }
    if (dataDir !== undefined) {
      await writeServerFile(dataDir, info).catch(async (error: unknown) => {
        await app.close()
        throw error
      })
    }
    logger.info(`PhantomDB listens on ${url} (${engine.kind} PostgreSQL ${version})`)

    const close = async ({ keepPostgres = false }: CloseOptions): Promise<void> => {
      if (dataDir !== undefined) await removeServerFile(dataDir, info)
      // Transactions first: calls may wait for their locks.
      const closing = Promise.all([transactions.expireAll(), app.close()])
      const grace = setTimeout(() => calls.abortAll(), closeGraceMs)
      await calls.idle()
      clearTimeout(grace)
      // What is left are connections that callers keep open for later.
      app.server.closeAllConnections()
      await closing
      await transactions.expireAll()
      await databases.close()
      await engine.release(!keepPostgres)
    }
    let closing: Promise<void> | undefined
    return {
      url,
      token,
      engine: engine.kind,
      version,
      adopted: engine.adopted,
      close: (closeOptions = {}) => (closing ??= close(closeOptions)),
      [Symbol.asyncDispose]: () => (closing ??= close({})),
    }
  } catch (error) {
    await databases.close()
    throw error
  }
}

function tokenOf(auth: Auth): string | undefined {
  if (auth === 'none') return undefined
  return auth === 'token' ? randomBytes(32).toString('base64url') : auth.token
}

async function versionOf(databases: Databases): Promise<string> {
  try {
    return await databases.version()
  } catch (cause) {
    throw new PhantomDBServerError('ERR_DATABASE_UNREACHABLE', 'PostgreSQL cannot be reached', { cause })
  }
}

async function listen(app: FastifyInstance, { host, port }: ResolvedOptions): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    await app.close()
    throw new PhantomDBServerError('ERR_LISTEN', `Cannot listen on ${host}, port ${port}`, { cause })
  }
  const { port: actual } = app.server.address() as AddressInfo
  return `http://${isIPv6(host) ? `[${host}]` : host}:${actual}`
}

// Messages may hold what the caller sent.
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error)
