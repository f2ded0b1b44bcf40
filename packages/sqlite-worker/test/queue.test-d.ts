import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import type { SqliteWorker } from '../src/index.ts'
import { createQueue } from '../src/queue/index.ts'

declare const worker: SqliteWorker

test('payload types come from schemas: their input is added, their output is handled', () => {
  const queue = createQueue(worker, {
    tasks: { mail: z.object({ to: z.string(), copies: z.coerce.number<string>() }), ping: z.undefined() },
  })
  void queue.add('mail', { to: 'a', copies: '2' })
  void queue.addMany('mail', [{ to: 'a', copies: '2' }])
  void queue.schedule('s', '* * * * *', 'ping', undefined)
  // @ts-expect-error -- the input's copies are text
  void queue.add('mail', { to: 'a', copies: 2 })
  // @ts-expect-error -- there is no such task
  void queue.add('male', { to: 'a', copies: '2' })
  queue.work({
    mail: (payload, ctx) => {
      expectTypeOf(payload).toEqualTypeOf<{ to: string; copies: number }>()
      expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>()
    },
  })
  // @ts-expect-error -- there is no such task
  queue.work({ male: () => {} })
})

test('payload types can be named instead, or left open', () => {
  interface Tasks {
    mail: { to: string }
  }
  const named = createQueue<Tasks>(worker)
  void named.add('mail', { to: 'a' })
  // @ts-expect-error -- `to` is missing
  void named.add('mail', {})
  named.work({ mail: (payload) => expectTypeOf(payload).toEqualTypeOf<{ to: string }>() })
  const open = createQueue(worker)
  void open.add('anything', 5)
  open.work({ anything: (payload) => expectTypeOf(payload).toBeUnknown() })
  expectTypeOf(open.waitFor(1)).toEqualTypeOf<Promise<unknown>>()
})

test('addMany takes no dedupeKey', () => {
  // @ts-expect-error -- one key cannot be that of many
  void createQueue(worker).addMany('t', [1], { dedupeKey: 'k' })
})
