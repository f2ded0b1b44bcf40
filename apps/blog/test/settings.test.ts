import { expect, it } from 'vitest'
import { readSettings } from '../src/settings.ts'

it('has defaults for everything, and takes an empty variable for none', () => {
  expect(readSettings({ REDIS_URL: '', PORT: '' })).toMatchObject({
    host: '127.0.0.1',
    port: 8000,
    redisUrl: undefined,
  })
})

it('is frozen', () => {
  expect(Object.isFrozen(readSettings({}))).toBe(true)
})

it('names every variable that does not fit, and shows no value', () => {
  const read = (): unknown => readSettings({ PORT: '70000', REDIS_URL: 'http://user:hunter2@example.com' })
  expect(read).toThrow(/PORT: .*\n {2}REDIS_URL: /)
  expect(read).not.toThrow('hunter2')
})
