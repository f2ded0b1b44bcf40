import { once } from 'node:events'
import { Redis } from 'ioredis'

// The test kit, which finds a Redis server on every machine, is TypeScript.
await import('../../../internal/tsconfig/typescript-loader.mjs')
const { startRedis } = await import('../../../internal/test-kit/src/redis.ts')

/**
 * A Redis server of its own, on this machine and without persistence. It ends with this process at the latest.
 *
 * @returns {Promise<{port: number, url: string, kill: (signal: NodeJS.Signals) => Promise<void>, stop: () => Promise<void>}>}
 */
export function startServer() {
  return startRedis({ args: [] })
}

/**
 * A connected client.
 *
 * @param {{port: number}} server
 * @param {import('ioredis').RedisOptions} [options]
 */
export async function connect({ port }, options) {
  const client = new Redis({ host: '127.0.0.1', port, enableOfflineQueue: false, ...options })
  client.on('error', () => {}) // a server that was stopped closes its connections
  await once(client, 'ready')
  return client
}

/**
 * One server for all contenders of a case, from the first that opens it to the last that closes it.
 *
 * @returns {{open: () => ReturnType<typeof startServer>, close: () => Promise<void>}}
 */
export function sharedServer() {
  let server
  let users = 0
  return {
    open() {
      users += 1
      return (server ??= startServer())
    },
    async close() {
      users -= 1
      if (users > 0) return
      const running = server
      server = undefined
      await (await running).stop()
    },
  }
}
