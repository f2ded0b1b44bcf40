import { eventually } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'

/** Makes a server a replica of another one, and resolves once it follows. */
export async function replicate(replica: Redis, master: { host: string; port: number }): Promise<void> {
  await replica.replicaof(master.host, master.port)
  await eventually(async () => expect(await replica.info('replication')).toMatch(/link_status:up/), {
    timeoutMs: 20_000,
  })
}
