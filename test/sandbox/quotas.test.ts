import { describe, expect, it } from 'vitest'
import { DAY, MINUTE } from '../../src/sandbox/clock.js'
import { APP_ID, APP_SECRET } from '../helpers/constants.js'
import { setup } from './helpers.js'

const SEND = '/cgi-bin/message/wxopen/template/send'
const QUOTA = '/cgi-bin/openapi/quota/get'
const CLEAR = '/cgi-bin/openapi/quota/clear'
const CLEAR_ALL = '/cgi-bin/clear_quota'
const CLEAR_BY_SECRET = '/cgi-bin/clear_quota/v2'

async function quotaSetup() {
  const world = await setup()
  world.control.configure({ dailyQuotas: { [SEND]: 2 } })
  const ask = async (path: string, body: object) => JSON.parse((await world.sendTo(path, body)).text)
  const bySecret = async (body: object) => (await world.post(CLEAR_BY_SECRET, body)).json.errcode
  return { ...world, ask, bySecret, quota: (cgi_path: unknown) => ask(QUOTA, { cgi_path }) }
}

describe('the quota of a path', () => {
  it('counts every call of the day, and refuses with 45009 when none is left', async () => {
    const { send, quota } = await quotaSetup()
    expect(await quota(SEND)).toEqual({
      errcode: 0,
      errmsg: 'ok',
      quota: { daily_limit: 2, used: 0, remain: 2 },
    })
    await send()
    await send({ template_id: 'nope' })
    expect(await quota(SEND)).toMatchObject({ quota: { daily_limit: 2, used: 2, remain: 0 } })
    expect((await send()).json.errcode).toBe(45009)
    expect(await quota('/cgi-bin/message/subscribe/send')).toMatchObject({ quota: { used: 0 } })
  })

  it('is fresh after midnight in Beijing', async () => {
    const { send, control, ask, newToken, sendTo } = await quotaSetup()
    await send()
    expect(await ask(QUOTA, { cgi_path: SEND })).toMatchObject({ quota: { used: 1 } })
    control.advanceClock(DAY)
    const answer = await sendTo(QUOTA, { cgi_path: SEND }, { token: await newToken() })
    expect(answer.json).toMatchObject({ quota: { used: 0 } })
  })

  it('names the limit per minute of a path that has one', async () => {
    const { quota } = await quotaSetup()
    expect(await quota('/cgi-bin/stable_token')).toMatchObject({
      rate_limit: { call_count: 10_000, refresh_second: 60 },
    })
  })

  it.each([
    [76003, 'cgi-bin/message/subscribe/send'],
    [76003, 'https://api.weixin.qq.com/cgi-bin/message/subscribe/send'],
    [76003, undefined],
    [76021, '/cgi-bin/no/such/path'],
    [76022, '/sns/jscode2session'],
  ])('is refused with %i for %s', async (errcode, path) => {
    const { quota } = await quotaSetup()
    expect(await quota(path)).toMatchObject({ errcode })
  })

  it('per minute is refused with 45011, and has nothing to do with the day’s', async () => {
    const { send, control, post } = await quotaSetup()
    const settings = { minute_quotas: { [SEND]: 1 }, daily_quotas: { [SEND]: 100 } }
    await post('/sandbox/settings', settings, { method: 'PUT' })
    expect([(await send()).json.errcode, (await send()).json.errcode]).toEqual([0, 45011])
    control.advanceClock(MINUTE)
    expect((await send()).json.errcode).toBe(0)
  })
})

describe('clearing a quota', () => {
  it('clears one path, all with a token, or all with the secret', async () => {
    const { send, ask, bySecret, quota } = await quotaSetup()
    const clearings = [
      () => ask(CLEAR, { cgi_path: SEND }),
      () => ask(CLEAR_ALL, { appid: APP_ID }),
      () => bySecret({ appid: APP_ID, appsecret: APP_SECRET }),
    ]
    for (const clear of clearings) {
      await send()
      await send()
      expect((await send()).json.errcode).toBe(45009)
      await clear()
      expect(await quota(SEND)).toMatchObject({ quota: { used: 0 } })
    }
  })

  it('of one path leaves the others', async () => {
    const { send, ask, quota } = await quotaSetup()
    await send()
    await quota(SEND)
    await ask(CLEAR, { cgi_path: QUOTA })
    expect(await quota(SEND)).toMatchObject({ quota: { used: 1 } })
    expect(await quota(QUOTA)).toMatchObject({ quota: { used: 2 } })
  })

  it('is possible ten times a month, by whichever call', async () => {
    const { ask, bySecret, control, newToken, sendTo } = await quotaSetup()
    const codes = []
    for (let n = 0; n < 4; n++) {
      codes.push((await ask(CLEAR, { cgi_path: SEND })).errcode)
      codes.push((await ask(CLEAR_ALL, { appid: APP_ID })).errcode)
      codes.push(await bySecret({ appid: APP_ID, appsecret: APP_SECRET }))
    }
    expect(codes).toEqual([...Array(10).fill(0), 48006, 48006])
    control.advanceClock(30 * DAY)
    const token = await newToken()
    expect((await sendTo(CLEAR, { cgi_path: SEND }, { token })).json.errcode).toBe(0)
  })

  it('is refused for another account, a wrong secret or an unknown path, and uses nothing up', async () => {
    const { ask, bySecret } = await quotaSetup()
    for (let n = 0; n < 10; n++) {
      expect(await ask(CLEAR_ALL, { appid: 'wxOther' })).toMatchObject({ errcode: 40013 })
      expect(await bySecret({ appid: APP_ID, appsecret: 'wrong' })).toBe(40125)
      expect(await ask(CLEAR, { cgi_path: '/cgi-bin/nothing' })).toMatchObject({ errcode: 76021 })
    }
    expect(await ask(CLEAR_ALL, { appid: APP_ID })).toMatchObject({ errcode: 0 })
  })
})
