import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Channel } from '../../src/channel.js'
import { runDemo } from '../../src/demo/demo.js'

// @module-tag long

const printed: string[] = []
beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0)
})
afterEach(() => {
  vi.restoreAllMocks()
  printed.length = 0
})

test.each<[Channel, RegExp]>([
  ['form_id', /permits {3}\d+ form_ids: .* accepted/],
  ['subscribe', /permits {3}\d+ taps: .* accepted/],
  ['official', /followers \d+ bound, \d+ left; no permits needed/],
])('a week on %s ends with books that agree with those of WeChat', async (channel, says) => {
  const demo = await runDemo({ port: 0, once: true, channels: [channel] })
  await demo.stop()
  expect(demo.booksAgree).toBe(true)
  const text = printed.join('')
  expect(text).toMatch(says)
  expect(text).toMatch(/today {5}\d+ due: \d+ delivered, 0 failed, 0 unknown/)
})
