import { setTimeout as delay } from 'node:timers/promises'

const CALLERS = 1000
const WORK_MS = 20

/** Lets many callers at once ask for a value that nobody has asked for before; counts how often it is computed. */
export function stampeding(wrap) {
  let computed = 0
  let latest = 0
  const get = wrap(async (id) => {
    computed += 1
    await delay(WORK_MS)
    return { id }
  })
  return async () => {
    computed = 0
    latest += 1
    const id = latest
    const values = await Promise.all(Array.from({ length: CALLERS }, () => get(id)))
    if (values.some((value) => value.id !== id)) throw new Error('A caller got another value')
    return computed
  }
}
