import { expect, test } from 'vitest'
import { useBrowser } from '../helpers/browser.js'
import { API_KEY, useService } from '../helpers/service.js'

// @module-tag browser

const browser = useBrowser()
const service = useService('sqlite')

async function openDocs() {
  const watched = await browser.open({ viewport: { width: 1280, height: 900 } })
  await watched.page.goto(`${service.url}/docs`)
  await watched.page.getByText('POST', { exact: true }).first().waitFor()
  return watched
}

test('/docs has our name and our icon, and nobody else’s', async () => {
  const { page, troubles } = await openDocs()
  expect(await page.title()).toBe('Sign-in reminder')
  expect(await page.locator('h1, h2').first().textContent()).toContain('Sign-in reminder')
  expect(await page.locator('link[rel~=icon]').getAttribute('href')).toMatch(/docs-icon\.svg$/)
  expect((await page.locator('#swagger-ui').textContent())?.toLowerCase()).not.toContain('swagger')
  expect(await page.locator('.topbar, img').count()).toBe(0)
  expect(troubles).toEqual([])
})

test('every document that its text links to is there', async () => {
  const { page, troubles } = await openDocs()
  const links = page.locator('.info a[href*="/docs/topics/"]')
  const addresses = await links.evaluateAll((all) => all.map((link) => String(link.getAttribute('href'))))
  expect(addresses).toHaveLength(8)
  for (const address of addresses) {
    const answer = await service.request('GET', address)
    expect(answer.status, address).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(answer.text).toMatch(/^# /)
  }
  expect((await service.request('GET', '/docs/topics/..%2Fpackage.json')).status).toBe(404)
  expect(troubles).toEqual([])
})

test('a call is tried out there with a key, as it stands', async () => {
  const { page, troubles } = await openDocs()
  await page.getByRole('button', { name: 'Authorize' }).first().click()
  const dialog = page.locator('.dialog-ux')
  await dialog.locator('input').first().fill(API_KEY)
  await dialog.getByRole('button', { name: 'Apply credentials' }).first().click()
  await dialog.getByRole('button', { name: 'Close' }).last().click()

  const call = page.locator('#operations-permits-uploadFormIds')
  await call.locator('.opblock-summary-control').click()
  await call.getByRole('button', { name: 'Execute' }).click()
  const answer = call.locator('.live-responses-table')
  await answer.waitFor()
  expect(await answer.locator('.response .response-col_status').first().textContent()).toContain('201')
  expect(await answer.textContent()).toContain('"accepted": 1')
  expect(await service.db('wx_save_form_id').pluck('form_id')).toEqual(['3a5f0c9b2e7d4f6188aa10b2c3d4e5f6'])

  // The meanings of the codes are there to read, in both languages.
  expect(await call.textContent()).toContain(
    'details.field names the field; where there are several faults, details.faults has all of them（details.field 指出字段；有多处错误时全部列在 details.faults）',
  )
  expect(troubles).toEqual([])
})
