import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '@outrider/test-kit'
import { expect, it, onTestFinished } from 'vitest'
import { Analytics } from '../src/analytics.ts'
import { readSettings } from '../src/settings.ts'
import { Workers } from '../src/workers.ts'
import { dataFolder } from './fixture.ts'

/** The analytics of a file of their own, whose clock a test sets. */
async function openAnalytics(file?: string) {
  const dataDir = await dataFolder()
  const settings = readSettings({ DATA_DIR: dataDir, WORKER_DB_PATH: file })
  const workers = new Workers(settings)
  onTestFinished(() => workers.close())
  const errors: unknown[] = []
  let now = new Date('2026-03-31T12:00:00Z')
  const analytics = new Analytics(workers.getWorker('analytics'), {
    onError: (error) => errors.push(error),
    now: () => now,
  })
  const view = (time: string, ...urls: string[]): void => {
    now = new Date(time)
    for (const url of urls) analytics.logView(url)
  }
  return { analytics, view, errors, settings, workers }
}

it('countViews counts all views, or those of an address', async () => {
  const { analytics, view } = await openAnalytics()
  view('2026-03-31T12:00:00Z', '/', '/books/', '/')
  expect(await analytics.countViews()).toBe(3)
  expect(await analytics.countViews('/')).toBe(2)
  expect(await analytics.countViews('/nothing')).toBe(0)
})

it('viewsByDay gives the last days, today first, without days that had no views', async () => {
  const { analytics, view } = await openAnalytics()
  view('2026-03-01T23:59:59Z', '/too-old')
  view('2026-03-02T00:00:00Z', '/')
  view('2026-03-30T23:59:59Z', '/', '/books/')
  view('2026-03-31T00:00:00Z', '/')
  expect(await analytics.viewsByDay(30)).toEqual([
    { date: '2026-03-31', views: 1 },
    { date: '2026-03-30', views: 2 },
    { date: '2026-03-02', views: 1 },
  ])
  expect(await analytics.viewsByDay(1)).toEqual([{ date: '2026-03-31', views: 1 }])
})

it('topToday gives the addresses viewed most today, and of equals the first by name', async () => {
  const { analytics, view } = await openAnalytics()
  view('2026-03-30T23:59:59Z', '/yesterday', '/yesterday', '/yesterday')
  view('2026-03-31T00:00:00Z', '/b', '/a', '/c', '/c')
  expect(await analytics.topToday(2)).toEqual([
    { url: '/c', views: 2 },
    { url: '/a', views: 1 },
  ])
})

it('counts by day and by address search an index and never read the whole table', async () => {
  const { workers } = await openAnalytics()
  const worker = workers.getWorker('analytics')
  for (const condition of [
    "date > '2026-01-01' GROUP BY date",
    "date = '2026-01-01' GROUP BY url",
    "url = '/'",
  ]) {
    const plan = await worker.execute(`EXPLAIN QUERY PLAN SELECT COUNT(*) FROM page_views WHERE ${condition}`)
    expect(JSON.stringify(plan)).toMatch(/SEARCH page_views USING (COVERING )?INDEX/)
  }
})

it('a file has one worker in a process, closed with the last that uses it, after all was written', async () => {
  const { analytics, view, settings, workers } = await openAnalytics()
  const others = new Workers(settings)
  expect(others.getWorker('analytics')).toBe(workers.getWorker('analytics'))
  await others.close()
  view('2026-03-31T12:00:00Z', '/')
  await workers.close()
  await expect(analytics.countViews()).rejects.toMatchObject({ code: 'ERR_CLOSED' })

  const later = new Workers(settings)
  onTestFinished(() => later.close())
  const again = new Analytics(later.getWorker('analytics'), { onError: () => {} })
  expect(await again.countViews()).toBe(1)
})

it('a view that cannot be stored is reported, and logging it does not throw', async () => {
  const folder = join(await dataFolder(), 'not-a-file')
  await mkdir(folder)
  const { view, errors } = await openAnalytics(folder)
  view('2026-03-31T12:00:00Z', '/')
  await eventually(() => expect(errors).toMatchObject([{ code: 'ERR_OPEN' }]))
})
