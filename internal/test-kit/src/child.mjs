// The child's side of spawn-child.ts, without dependencies and loadable by plain Node 20.
let lastId = 0
const waiting = new Map()

// Another program that forked this process has a channel too, which is none of our business.
const isTestChild = process.env.OUTRIDER_TEST_PARENT === String(process.ppid)

if (isTestChild) {
  process.on('message', (message) => {
    if (message === null || typeof message !== 'object' || message.type !== 'outrider:go-on') return
    waiting.get(message.id)?.()
    waiting.delete(message.id)
    if (waiting.size === 0) process.channel?.unref()
  })
  process.channel?.unref()
}

/** @param {string} point */
export function reach(point) {
  if (!isTestChild || !process.send || !process.connected) return Promise.resolve()
  const id = ++lastId
  return new Promise((resolve, reject) => {
    waiting.set(id, resolve)
    process.channel?.ref()
    process.send({ type: 'outrider:reached', id, point }, (error) => {
      if (error) reject(error)
    })
  })
}
