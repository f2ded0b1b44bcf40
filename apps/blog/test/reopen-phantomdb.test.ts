import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describeWith, startPostgresServer, type TestPostgresServer } from '@outrider/test-kit'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { reopenPhantomDB } from '../src/reopen-phantomdb.ts'
import { dataFolder } from './fixture.ts'

describeWith('postgres', 'reopenPhantomDB', () => {
  let postgres: TestPostgresServer
  beforeAll(async () => {
    postgres = await startPostgresServer()
  })
  afterAll(() => postgres.stop())

  /** The folder of a gateway that was killed, and a program that listens on its port now. */
  const afterKill = async (token: string) => {
    const folder = await dataFolder()
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'server.json'), JSON.stringify({ url, token, pid: 1, instance: 'killed' }))
    return { folder, url, other }
  }
  const reopen = async (folder: string) => {
    const gateway = await reopenPhantomDB({ dataDir: folder, url: postgres.url })
    onTestFinished(() => gateway.close())
    return gateway
  }
  const token = 'a-token-of-sixteen-characters-or-more'

  it('takes the port and the token of a gateway that was killed', async () => {
    const { folder, url, other } = await afterKill(token)
    other.close()
    await once(other, 'close')
    expect(await reopen(folder)).toMatchObject({ url, token })
  })

  it('waits a little for the port when another program has it', async () => {
    const { folder, url, other } = await afterKill(token)
    const reopening = reopen(folder)
    setTimeout(() => other.close(), 300)
    expect(await reopening).toMatchObject({ url, token })
  })

  it('takes another port and another token when that program keeps it', async () => {
    const { folder, url, other } = await afterKill(token)
    const gateway = await reopen(folder)
    other.close()
    expect(gateway.url).not.toBe(url)
    expect(gateway.token).not.toBe(token)
  })

  it('takes no notice of a file that it cannot use', async () => {
    const { folder, other } = await afterKill('short')
    other.close()
    expect((await reopen(folder)).token).not.toBe('short')
  })
})
