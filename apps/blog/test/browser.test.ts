import { describeWith, launchBrowser } from '@outrider/test-kit'
import { expect, it } from 'vitest'
import { startSite } from './fixture.ts'

describeWith(['chromium', 'postgres'], 'in a browser', () => {
  it('one clicks from the first page to a book and sees MISS, then HIT', { timeout: 60_000 }, async () => {
    const test = await startSite()
    const url = await test.app.listen({ host: '127.0.0.1', port: 0 })
    const browser = await launchBrowser()
    try {
      const page = await browser.newPage({ viewport: { width: 360, height: 740 } })
      const problems: string[] = []
      page.on('console', (message) => void (message.type() === 'error' && problems.push(message.text())))
      page.on('pageerror', (error) => problems.push(error.message))
      await page.goto(url)
      await page.click('text=Browse the books')
      await page.click('.card a')
      expect(await page.textContent('#status')).toBe('MISS')
      await page.reload()
      expect(await page.textContent('#status')).toBe('HIT')
      for (const path of [
        '/',
        '/books/',
        '/books/genre/mystery/',
        '/books/stats',
        '/search?q=map',
        '/posts/once-it-is-invalid-it-is-gone',
      ]) {
        await page.goto(url + path)
        const overflow = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        )
        expect({ path, overflow }).toEqual({ path, overflow: 0 })
      }
      expect(problems).toEqual([])
    } finally {
      await browser.close()
      await test.stop()
    }
  })
})
