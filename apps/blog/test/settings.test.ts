import { expect, it } from 'vitest'
import { readSettings } from '../src/settings.ts'

it('has defaults for everything, and takes an empty variable for none', () => {
  expect(readSettings({ REDIS_URL: '', PORT: '' })).toMatchObject({
    host: '127.0.0.1',
    port: 8000,
    redisUrl: undefined,
  })
})

it('keeps the analytics file in the data folder, unless WORKER_DB_PATH says otherwise', () => {
  expect(readSettings({ DATA_DIR: '/srv/data' }).analyticsFile).toBe('/srv/data/analytics.db')
  const { analyticsFile } = readSettings({ DATA_DIR: '/srv/data', WORKER_DB_PATH: '/srv/worker.db' })
  expect(analyticsFile).toBe('/srv/worker.db')
})

it('is frozen', () => {
  expect(Object.isFrozen(readSettings({}))).toBe(true)
})

it('takes no short token for the staff', () => {
  expect(() => readSettings({ ADMIN_TOKEN: 'short' })).toThrow(/ADMIN_TOKEN: /)
  expect(readSettings({ ADMIN_TOKEN: 'a-token-of-some-length' }).adminToken).toBe('a-token-of-some-length')
})

it('takes no Redis whose database has no number', () => {
  expect(() => readSettings({ REDIS_URL: 'redis://localhost/abc' })).toThrow(/REDIS_URL: expected its path/)
  expect(readSettings({ REDIS_URL: 'redis://localhost/1' }).redisUrl).toBe('redis://localhost/1')
})

it('names every variable that does not fit, and shows no value', () => {
  const read = (): unknown => readSettings({ PORT: '70000', REDIS_URL: 'http://user:hunter2@example.com' })
  expect(read).toThrow(/PORT: .*\n {2}REDIS_URL: /)
  expect(read).not.toThrow('hunter2')
})
