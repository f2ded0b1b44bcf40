import {
  startRedis,
  startRedisCluster,
  type StartRedisOptions,
  type TestRedis,
  type TestRedisCluster,
} from '@outrider/test-kit'
import type { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { connect, connectCluster, type ClientOptions } from './redis-clients.ts'

/** The Redis of a block of tests. */
export interface UsedRedis {
  readonly redis: TestRedis
  readonly client: Redis
  /** A further client, which is closed after the test; of the server, or of a proxy on another port. */
  open(options?: ClientOptions, port?: number): Promise<Redis>
}

/** The Redis Cluster of a block of tests. */
export interface UsedCluster {
  readonly nodes: TestRedisCluster
  readonly client: Cluster
}

/** Starts a Redis before the tests of a block, and stops it after them. It is one of its own where `args` are given. */
export function useRedis(options: StartRedisOptions = {}): UsedRedis {
  const used = new Used()
  beforeAll(() => used.start(options))
  afterEach(() => used.closeClients())
  afterAll(() => used.stop())
  return used
}

/** Starts a Redis of its own for each test of a block: it may be killed, stopped, filled and configured. */
export function useRedisForEach(): UsedRedis {
  const used = new Used()
  // With arguments the server is never one that others use as well.
  beforeEach(() => used.start({ args: ['--maxmemory', '0'] }))
  afterEach(() => used.stop())
  return used
}

/** Starts a Redis Cluster before the tests of a block, and stops it after them. */
export function useRedisCluster(): UsedCluster {
  let used: UsedCluster | undefined
  beforeAll(async () => {
    const nodes = await startRedisCluster()
    used = { nodes, client: await connectCluster(nodes.nodes) }
  })
  afterAll(async () => {
    used?.client.disconnect()
    await used?.nodes.stop()
  })
  return {
    get nodes() {
      return used?.nodes ?? expect.fail()
    },
    get client() {
      return used?.client ?? expect.fail()
    },
  }
}

class Used implements UsedRedis {
  #redis: TestRedis | undefined
  #client: Redis | undefined
  #clients: Redis[] = []

  get redis(): TestRedis {
    return this.#redis ?? expect.fail('Redis runs only while tests do')
  }

  get client(): Redis {
    return this.#client ?? expect.fail('Redis runs only while tests do')
  }

  async open(options: ClientOptions = {}, port: number = this.redis.port): Promise<Redis> {
    const client = await connect(port, options)
    this.#clients.push(client)
    return client
  }

  async start(options: StartRedisOptions): Promise<void> {
    this.#redis = await startRedis(options)
    this.#client = await connect(this.#redis.port)
  }

  closeClients(): void {
    for (const client of this.#clients.splice(0)) client.disconnect()
  }

  async stop(): Promise<void> {
    this.closeClients()
    this.#client?.disconnect()
    await this.#redis?.stop()
  }
}
