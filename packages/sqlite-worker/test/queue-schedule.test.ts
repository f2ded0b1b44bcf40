import { eventually } from '@outrider/test-kit'
import { describe, expect, it, vi } from 'vitest'
import { temporaryFile } from './fixture.ts'
import { openQueue, TestClock, type OpenedQueue } from './fixtures/queue-fixture.ts'

const fast = { pollIntervalMs: 5 }

/** Runs jobs and notes the slots they were made for. */
function noteSlots({ queue }: OpenedQueue): string[] {
  const slots: string[] = []
  queue.work({ work: (_, { scheduledFor }) => void slots.push(scheduledFor?.toISOString() ?? 'none') }, fast)
  return slots
}

describe('schedule', () => {
  it('makes a job for each slot, whatever the real time is', async () => {
    const clock = new TestClock('2030-01-01T00:00:30Z')
    const opened = openQueue({ now: clock.now })
    const slots = noteSlots(opened)
    await opened.queue.schedule(
      'tick',
      '* * * * *',
      'work',
      { n: 1 },
      { group: 'g', priority: 2, maxAttempts: 3 },
    )
    for (const [time, count] of [
      ['00:00:59', 0],
      ['00:01:00', 1],
      ['00:01:59', 1],
      ['00:02:00', 2],
    ] as const) {
      clock.set(`2030-01-01T${time}Z`)
      await eventually(() => expect(slots).toHaveLength(count))
    }
    expect(slots).toEqual(['2030-01-01T00:01:00.000Z', '2030-01-01T00:02:00.000Z'])
    expect(await opened.queue.get(1)).toMatchObject({
      schedule: 'tick',
      scheduledFor: new Date('2030-01-01T00:01:00Z'),
      payload: { n: 1 },
      group: 'g',
      priority: 2,
      maxAttempts: 3,
    })
    expect(await opened.queue.schedules()).toEqual([
      {
        name: 'tick',
        cron: '* * * * *',
        timeZone: 'UTC',
        catchUp: 'last',
        task: 'work',
        payload: { n: 1 },
        nextAt: new Date('2030-01-01T00:03:00Z'),
      },
    ])
  })

  it('reads its pattern in its time zone, over the changes of daylight saving time', async () => {
    const clock = new TestClock('2030-03-30T00:00:00Z')
    const opened = openQueue({ now: clock.now })
    const slots = noteSlots(opened)
    await opened.queue.schedule('nightly', '30 2 * * *', 'work', null, {
      timeZone: 'Europe/Berlin',
      catchUp: 'all',
    })
    clock.set('2030-04-01T12:00:00Z')
    await eventually(() => expect(slots).toHaveLength(3))
    // on the 31st there is no 2:30; it runs at 3:00, which is the first time after the gap
    expect(slots.toSorted()).toEqual([
      '2030-03-30T01:30:00.000Z',
      '2030-03-31T01:00:00.000Z',
      '2030-04-01T00:30:00.000Z',
    ])
  })

  for (const [catchUp, expected] of [
    ['skip', []],
    ['last', ['05:00']],
    ['all', ['03:00', '04:00', '05:00']],
  ] as const) {
    it(`with catchUp '${catchUp}' makes of five missed slots the jobs it says`, async () => {
      const clock = new TestClock('2030-01-01T00:30:00Z')
      const opened = openQueue({ now: clock.now })
      await opened.queue.schedule('hourly', '0 * * * *', 'work', null, {
        catchUp,
        maxCatchUp: 3,
        graceMs: 60_000,
      })
      clock.set('2030-01-01T05:30:00Z')
      const slots = noteSlots(opened)
      const next = new Date('2030-01-01T06:00:00Z')
      await eventually(async () => expect(await opened.queue.schedules()).toMatchObject([{ nextAt: next }]))
      await opened.queue.drain()
      expect(slots).toEqual(expected.map((time) => `2030-01-01T${time}:00.000Z`))
      clock.set('2030-01-01T06:00:50Z') // late, but within graceMs
      await eventually(() => expect(slots.at(-1)).toBe('2030-01-01T06:00:00.000Z'))
    })
  }

  it('makes one job per slot with several connections, and does not care which of them goes', async () => {
    const file = temporaryFile()
    const clock = new TestClock('2030-01-01T00:00:00Z')
    const opened = [1, 2, 3].map(() => openQueue({ file, now: clock.now }))
    const slots = opened.map(noteSlots)
    await Promise.all(
      opened.map(({ queue }) => queue.schedule('tick', '* * * * *', 'work', null, { catchUp: 'all' })),
    )
    for (let minute = 1; minute <= 20; minute++) {
      clock.set(`2030-01-01T00:${String(minute).padStart(2, '0')}:00Z`)
      await eventually(() => expect(slots.flat().length).toBeGreaterThanOrEqual(minute))
      if (minute === 10) await opened[0]?.queue.close()
    }
    expect(new Set(slots.flat()).size).toBe(20)
    expect(slots.flat()).toHaveLength(20)
  })

  it('keeps its place when it is put again unchanged, and begins anew when its pattern changes', async () => {
    const clock = new TestClock('2030-01-01T00:30:00Z')
    const opened = openQueue({ now: clock.now })
    const { queue } = opened
    await queue.schedule('s', '0 * * * *', 'work', 1)
    clock.set('2030-01-01T01:30:00Z')
    await queue.schedule('s', '0 * * * *', 'work', 2)
    expect(await queue.schedules()).toMatchObject([{ nextAt: new Date('2030-01-01T01:00:00Z'), payload: 2 }])
    await queue.schedule('s', '15 * * * *', 'work', 3)
    expect(await queue.schedules()).toMatchObject([{ nextAt: new Date('2030-01-01T02:15:00Z') }])
    expect(await queue.unschedule('s')).toBe(true)
    expect(await queue.unschedule('s')).toBe(false)
    const slots = noteSlots(opened)
    clock.set('2030-01-01T09:00:00Z')
    await queue.add('work', 1)
    await eventually(() => expect(slots).toEqual(['none']))
  })

  it('refuses what is no pattern, time zone or option', async () => {
    const { queue } = openQueue()
    for (const cron of ['nonsense', '* * *', '61 * * * *', '2030-01-01T00:00:00', '']) {
      await expect(queue.schedule('s', cron, 'work', 1)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
      })
    }
    for (const options of [
      { timeZone: 'Mars/Base' },
      { catchUp: 'never' },
      { maxCatchUp: 0 },
      { graceMs: -1 },
      { x: 1 },
    ]) {
      await expect(queue.schedule('s', '* * * * *', 'work', 1, options as object)).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
      })
    }
    await expect(queue.schedule('', '* * * * *', 'work', 1)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    })
    expect(await queue.schedules()).toEqual([])
  })

  it('whose pattern names no further time makes nothing', async () => {
    const { queue } = openQueue()
    await queue.schedule('past', '0 0 0 1 1 * 2020', 'work', 1)
    expect(await queue.schedules()).toMatchObject([{ nextAt: undefined }])
  })
})

describe('a clock that jumps', () => {
  it('forwards leaves running jobs with their consumers, and brings what is due', async () => {
    const file = temporaryFile()
    const clock = new TestClock('2030-01-01T00:00:00Z')
    const { queue } = openQueue({ file, now: clock.now })
    let runs = 0
    let end = (): void => {}
    const work = () => new Promise<void>((resolve) => ((runs += 1), (end = resolve)))
    queue.work({ work }, { leaseMs: 3000, ...fast })
    const { id } = await queue.add('work', 1)
    const later = await queue.add('other', 1, { delayMs: 3_600_000 })
    await eventually(() => expect(runs).toBe(1))
    clock.set('2031-01-01T00:00:00Z')
    const second = openQueue({ file, now: clock.now }).queue
    second.work({ work, other: () => 'due' }, { leaseMs: 60, ...fast })
    expect(await second.waitFor(later.id)).toBe('due')
    await expect(queue.waitFor(id, { timeoutMs: 400 })).rejects.toMatchObject({ code: 'ERR_WAIT_TIMEOUT' })
    expect(runs).toBe(1)
    end()
    await queue.waitFor(id)
    expect(await queue.get(id)).toMatchObject({ attempts: 1 })
  })

  it('backwards loses no job and runs none twice', async () => {
    const file = temporaryFile()
    const clock = new TestClock('2030-01-01T12:00:00Z')
    const { queue } = openQueue({ file, now: clock.now })
    const ran: unknown[] = []
    let end = (): void => {}
    const handlers = {
      work: (payload: unknown) => void ran.push(payload),
      other: () => new Promise<void>((resolve) => (ran.push('other'), (end = resolve))),
    }
    queue.work(handlers, { leaseMs: 3000, ...fast })
    await queue.add('other', 1)
    await queue.add('work', 'delayed', { delayMs: 1000 })
    await queue.add('work', 'at a set time', { runAt: new Date('2030-01-01T12:00:05Z') })
    await eventually(() => expect(ran).toEqual(['other']))
    clock.set('2030-01-01T06:00:00Z')
    const second = openQueue({ file, now: clock.now }).queue
    second.work(handlers, { leaseMs: 60, ...fast })
    await queue.add('work', 'now')
    await eventually(() => expect(ran).toEqual(['other', 'now']))
    // it was to wait for a second, so it does not wait for six hours
    await eventually(async () =>
      expect(await queue.get(2)).toMatchObject({ runAt: new Date('2030-01-01T06:00:01Z') }),
    )
    clock.set('2030-01-01T06:00:01Z')
    await eventually(() => expect(ran).toEqual(['other', 'now', 'delayed']))
    expect(await queue.get(3)).toMatchObject({ state: 'delayed', runAt: new Date('2030-01-01T12:00:05Z') })
    clock.set('2030-01-01T12:00:05Z')
    await eventually(() => expect(ran).toEqual(['other', 'now', 'delayed', 'at a set time']))
    end()
    await queue.drain({ delayed: true })
    expect(ran).toHaveLength(4)
  })

  it('backwards while no consumer runs is noticed by the next one', async () => {
    const file = temporaryFile()
    const clock = new TestClock('2030-01-01T12:00:00Z')
    const before = openQueue({ file, now: clock.now }).queue
    before.work({ work: () => {} }, fast)
    await before.add('work', 1)
    await before.drain()
    const { id } = await before.add('other', 1, { delayMs: 1000 })
    await before.close()
    clock.set('2030-01-01T06:00:00Z')
    const { queue } = openQueue({ file, now: clock.now })
    queue.work({ other: () => 'ran' }, fast)
    await eventually(async () =>
      expect(await queue.get(id)).toMatchObject({ runAt: new Date('2030-01-01T06:00:01Z') }),
    )
    clock.set('2030-01-01T06:00:01Z')
    expect(await queue.waitFor(id)).toBe('ran')
  })

  it('forth and back makes no slot twice, and leaves none out that comes again', async () => {
    const clock = new TestClock('2030-01-01T10:30:00Z')
    const opened = openQueue({ now: clock.now })
    const slots = noteSlots(opened)
    await opened.queue.schedule('hourly', '0 * * * *', 'work', 1)
    clock.set('2030-01-01T15:30:00Z')
    await eventually(() => expect(slots).toHaveLength(1)) // the last of those it missed
    clock.set('2030-01-01T10:45:00Z')
    const next = new Date('2030-01-01T11:00:00Z')
    await eventually(async () => expect(await opened.queue.schedules()).toMatchObject([{ nextAt: next }]))
    for (const hour of [11, 12, 13, 14, 15, 16]) {
      clock.set(`2030-01-01T${hour}:00:00Z`)
      const nextAt = new Date(clock.ms + 3_600_000)
      await eventually(async () => expect(await opened.queue.schedules()).toMatchObject([{ nextAt }]))
      await opened.queue.drain()
    }
    expect(slots.map((slot) => slot.slice(11, 13))).toEqual(['15', '11', '12', '13', '14', '16'])
  })

  it('while schedules are being looked at, and back before they are again, is noticed', async () => {
    const clock = new TestClock('2030-01-01T10:30:00Z')
    const { queue, worker } = openQueue({ now: clock.now })
    await queue.schedule('hourly', '0 * * * *', 'work', 1)
    const execute = worker.execute.bind(worker)
    const looking: typeof execute = (sql: string, ...rest: unknown[]) => {
      const isLook = sql.includes('FROM outrider_queue_schedules')
      if (isLook && clock.ms === Date.parse('2030-01-01T10:30:00Z')) clock.set('2030-01-01T15:30:00Z')
      return execute<never>(sql, ...(rest as [never, never]))
    }
    vi.spyOn(worker, 'execute').mockImplementation(looking)
    queue.work({ work: () => clock.set('2030-01-01T10:45:00Z') }, { pollIntervalMs: 500 })
    const nextAt = new Date('2030-01-01T11:00:00Z')
    await eventually(async () => {
      expect(clock.ms).toBe(Date.parse('2030-01-01T10:45:00Z'))
      expect(await queue.schedules()).toMatchObject([{ nextAt }])
    })
  })

  it('to a far year and back does not stop a schedule', async () => {
    const clock = new TestClock('2030-01-01T10:30:00Z')
    const opened = openQueue({ now: clock.now })
    const slots = noteSlots(opened)
    await opened.queue.schedule('hourly', '0 * * * *', 'work', 1)
    clock.set('2099-01-01T00:00:00Z')
    await eventually(() => expect(slots).toHaveLength(1))
    clock.set('2030-01-01T10:31:00Z')
    await eventually(async () =>
      expect(await opened.queue.schedules()).toMatchObject([{ nextAt: new Date('2030-01-01T11:00:00Z') }]),
    )
    clock.set('2030-01-01T11:00:00Z')
    await eventually(() => expect(slots.at(-1)).toBe('2030-01-01T11:00:00.000Z'))
  })
})
