import { eventually } from '@outrider/test-kit'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'

/** A master of a Cluster, and a client of its own. */
export interface Master {
  readonly client: Redis
  readonly host: string
  readonly port: number
}

/**
 * Moves a slot to another master as `redis-cli --cluster reshard` does, while clients go on. Resolves once all masters
 * know of it: two moves at once could take the same epoch, and each of two masters then sends clients to the other.
 */
export async function moveSlot(masters: readonly Master[], slot: number, target: Master): Promise<void> {
  const port = await ownerOf(target, slot)
  const source = masters.find((master) => master.port === port) ?? expect.fail(`Slot ${slot} has no master`)
  if (source === target) return
  const [sourceId, targetId] = await Promise.all([idOf(source), idOf(target)])
  await target.client.cluster('SETSLOT', slot, 'IMPORTING', sourceId)
  await source.client.cluster('SETSLOT', slot, 'MIGRATING', targetId)
  for (;;) {
    const keys = await source.client.cluster('GETKEYSINSLOT', slot, 10)
    if (keys.length === 0) break
    await source.client.call('MIGRATE', target.host, target.port, '', 0, 5000, 'KEYS', ...keys)
  }
  await target.client.cluster('SETSLOT', slot, 'NODE', targetId)
  await source.client.cluster('SETSLOT', slot, 'NODE', targetId)
  await eventually(async () => {
    const owners = await Promise.all(masters.map((master) => ownerOf(master, slot)))
    const epochs = await Promise.all(masters.map(epochOf))
    return owners.every((owner) => owner === target.port) && new Set(epochs).size === 1
  })
}

/** The port of the master that has the slot, as this one sees it. */
async function ownerOf({ client }: Master, slot: number): Promise<number | undefined> {
  const ranges = await client.cluster('SLOTS')
  return ranges.find(([first, last]) => first <= slot && slot <= last)?.[2]?.[1]
}

async function epochOf({ client }: Master): Promise<string | undefined> {
  return /cluster_current_epoch:(\d+)/.exec(await client.cluster('INFO'))?.[1]
}

async function idOf({ client }: Master): Promise<string> {
  return String(await client.call('CLUSTER', 'MYID'))
}
