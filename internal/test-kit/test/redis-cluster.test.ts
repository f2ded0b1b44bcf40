import { Cluster, Redis } from 'ioredis'
import { afterEach, expect, it } from 'vitest'
import { describeWith, eventually, startRedisCluster, type TestRedisCluster } from '../src/index.ts'

describeWith('redis', 'startRedisCluster', () => {
  let cluster: TestRedisCluster | undefined
  afterEach(() => cluster?.stop())

  it('serves all slots, redirects, and reports a killed node', async () => {
    cluster = await startRedisCluster()
    const [first] = cluster.nodes
    if (!first) throw new Error('No node')
    const single = new Redis(first)
    // The key hashes to slot 12182, which belongs to the third node.
    await expect(single.get('foo')).rejects.toThrow(/^MOVED 12182/)

    const client = new Cluster([first])
    await client.set('foo', 'bar')
    expect(await client.get('foo')).toBe('bar')
    client.disconnect()

    await cluster.killNode(2)
    await eventually(
      async () => String(await single.call('CLUSTER', 'INFO')).includes('cluster_state:fail'),
      {
        timeoutMs: 15_000,
      },
    )
    single.disconnect()
  })
})
