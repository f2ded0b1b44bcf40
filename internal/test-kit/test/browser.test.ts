import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Browser } from 'playwright-core'
import { describeWith, launchBrowser } from '../src/index.ts'

describeWith('chromium', 'launchBrowser', () => {
  let browser: Browser
  // The first time, Chromium is downloaded.
  beforeAll(async () => {
    browser = await launchBrowser()
  }, 300_000)
  afterAll(() => browser.close())

  it('runs scripts in pages', async () => {
    const page = await browser.newPage()
    await page.setContent('<button onclick="this.textContent = navigator.userAgent">Who?</button>')
    await page.getByRole('button').click()
    expect(await page.getByRole('button').textContent()).toContain('Chrome')
    await page.close()
  })

  it('draws letters with real fonts', async () => {
    const page = await browser.newPage()
    await page.setContent(
      '<span id="i">iiiiiiiiii</span><br><span id="m">mmmmmmmmmm</span><br><span id="t">\u{10FFFD}</span>',
    )
    const width = async (id: string) => (await page.locator(`#${id}`).boundingBox())?.width ?? 0
    expect(await width('i')).toBeGreaterThan(0)
    expect(await width('m')).toBeGreaterThan(2 * (await width('i')))
    const empty = await page.locator('#i').screenshot()
    await page.locator('#i').evaluate((element) => (element.style.color = 'transparent'))
    expect((await page.locator('#i').screenshot()).equals(empty)).toBe(false)
    await page.close()
  })
})

describe('without any Chromium', () => {
  it('one error says what to do', async () => {
    vi.stubEnv('CHROMIUM_PATH', '/does/not/exist')
    const failure = launchBrowser()
    await expect(failure).rejects.toMatchObject({ code: 'ERR_SERVICE_MISSING' })
    await expect(failure).rejects.toThrow(/CHROMIUM_PATH names \/does\/not\/exist[^]*SKIP_SERVICES=chromium/)
    vi.unstubAllEnvs()
  })
})
