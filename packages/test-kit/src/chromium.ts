import type { TestContext } from 'node:test'
import type { Browser } from 'playwright-core'
import { requireTool } from './tools.ts'

/**
 * The system's Chromium without a window, closed after the test.
 * Its own sandbox is off: tests run as root and open our own pages only.
 */
export async function startChromium(t: Pick<TestContext, 'after'>): Promise<Browser> {
  const { chromium } = await import('playwright-core') // slow to load, and most tests do without
  const browser = await chromium.launch({ executablePath: requireTool('chromium'), args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] })
  t.after(() => browser.close())
  return browser
}
