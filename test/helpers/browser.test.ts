import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { useBrowser } from './browser.js'

// @module-tag browser

const PAGE = `<!doctype html><title>A page</title><link rel="icon" href="data:,">
<script>console.error('a complaint'); setTimeout(() => { throw new Error('a surprise') })</script>
<img src="http://elsewhere.invalid/pixel.png" alt="">`

const browser = useBrowser()
let server: Server
beforeAll(async () => {
  server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(PAGE)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => server.close())

test('a page in the browser tells of complaints, exceptions and requests to elsewhere', async () => {
  const { page, troubles } = await browser.open()
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { waitUntil: 'load' })
  expect(await page.title()).toBe('A page')
  const has = (text: string) => expect.stringContaining(text)
  await expect.poll(() => troubles).toEqual(expect.arrayContaining([has('console: a complaint')]))
  await expect.poll(() => troubles).toEqual(expect.arrayContaining([has('exception: a surprise')]))
  await expect
    .poll(() => troubles)
    .toEqual(expect.arrayContaining([has('another origin: http://elsewhere.invalid/pixel.png')]))
})
