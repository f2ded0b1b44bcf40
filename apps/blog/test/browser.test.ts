import { describeWith, launchBrowser, temporaryDirectory } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { buildApp } from '../src/app.ts'

describeWith('chromium', 'in a browser', () => {
  it(
    'says MISS, then HIT after a reload, without an error, and never scrolls sideways',
    { timeout: 60_000 },
    async () => {
      const { path } = await temporaryDirectory()
      const app = await buildApp({ host: '127.0.0.1', port: 0, dataDir: path, redisUrl: undefined })
      const url = await app.listen({ host: '127.0.0.1', port: 0 })
      const browser = await launchBrowser()
      try {
        const page = await browser.newPage({ viewport: { width: 360, height: 740 } })
        const problems: string[] = []
        page.on('console', (message) => void (message.type() === 'error' && problems.push(message.text())))
        page.on('pageerror', (error) => problems.push(error.message))
        await page.goto(url)
        expect(await page.textContent('#status')).toBe('MISS')
        await page.reload()
        expect(await page.textContent('#status')).toBe('HIT')
        const overflow = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        )
        expect(overflow).toBe(0)
        expect(problems).toEqual([])
      } finally {
        await browser.close()
        await app.close()
      }
    },
  )
})
