import { describe, expect, test } from 'vitest'
import { TEMPLATE_ID } from '../helpers/constants.js'
import { useDashboard } from '../helpers/dashboard.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { signedIn } from '../helpers/operator.js'
import { openIdOf, user, users } from '../helpers/users.js'

describe.each(dialects)('the pages of a service account on %s', (dialect) => {
  const stage = useDashboard(dialect, {
    WX_CHANNEL: 'official',
    REMINDER_PAGE: '',
    REMINDER_TEMPLATE_ID: TEMPLATE_ID,
    REMINDER_DATA: '{"keyword1":"签到","keyword2":"{streak}天","keyword4":"{date}"}',
    REMINDER_URL: 'https://example.com/sign-in',
  })
  const { service } = stage

  test('say that no permits are needed, and count nobody as lacking one', async () => {
    await stage.has(users(1, 4).following(), user(5).following().signedInToday(), user(6).permits(1))
    const operator = await signedIn(service)
    const permits = (await operator.get('/dashboard/permits')).text
    expect(permits).toContain('No permits needed')
    expect(permits).not.toContain('Go dark')
    const chinese = await signedIn(service, { 'accept-language': 'zh-CN' })
    expect((await chinese.get('/dashboard/permits')).text).toContain('服务号消息不需要凭证')

    const plan = await eventually('the plan', async () => {
      const { text } = await operator.get('/dashboard/plan')
      return text.includes('4 users would be reminded.') && text
    })
    expect(plan).not.toContain('Have no permit')
    expect((await operator.send('/dashboard/run', '/dashboard/run')).status).toBe(303)
    const today = await eventually('the run', async () => {
      const { text } = await operator.get('/dashboard')
      // Who had signed in is counted last.
      return (
        text.includes('All 4 users who were due were reminded.') &&
        text.includes('Had signed in already') &&
        text
      )
    })
    expect(today).not.toContain('Had no permit')

    for (const path of ['/user/1', '/user/6', '/user/1?date=2026-11-21', '/history', '/errors', '/health']) {
      const { status, text } = await operator.get(`/dashboard${path}`)
      expect(status, path).toBe(200)
      expect(text, path).not.toMatch(/undefined|NaN|\[object|Invalid Date/)
      expect(text, path).not.toContain(openIdOf(1))
    }
    // The navigation has the word; what is said of somebody does not.
    const main = async (path: string) =>
      (await operator.get(`/dashboard${path}`)).text.replace(/^.*<main/s, '')
    expect(await main('/user/1')).not.toMatch(/No permit is left|Permits left/)
    const history = await main('/history')
    expect(history).not.toMatch(/permit/i)
    expect(history).toContain('Reminded users follow the account')
  })
})
