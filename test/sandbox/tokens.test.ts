import { Pool } from 'undici'
import { describe, expect, it } from 'vitest'
import { HOUR, MINUTE, SECOND } from '../../src/sandbox/clock.js'
import { setup } from './helpers.js'

const OTHER = { appId: 'wx00000000000000aa', secret: 'ffffffffffffffffffffffffffffffff' }
const MINE = { appId: 'wx5a6d9e0c1b2f3a48', secret: '0123456789abcdef0123456789abcdef' }

describe('the classic token', () => {
  it('comes without an errcode and lives two hours', async () => {
    const { classic } = await setup()
    const { status, json } = await classic()
    expect(status).toBe(200)
    expect(json).toEqual({ access_token: expect.any(String), expires_in: 7200 })
  })

  it('is a new one at each call, and the one before lives on for five minutes', async () => {
    const { classicToken, send, control } = await setup()
    const first = await classicToken()
    const second = await classicToken()
    expect(second).not.toBe(first)
    control.advanceClock(5 * MINUTE - 1)
    expect((await send({}, { token: first })).json.errcode).toBe(0)
    control.advanceClock(1)
    expect((await send({}, { token: first })).json.errcode).toBe(40001)
    expect((await send({}, { token: second })).json.errcode).toBe(0)
  })

  it('expires after two hours with 42001', async () => {
    const { classicToken, send, control } = await setup()
    const token = await classicToken()
    control.advanceClock(2 * HOUR - 1)
    expect((await send({}, { token })).json.errcode).toBe(0)
    control.advanceClock(1)
    expect((await send({}, { token })).json).toEqual({
      errcode: 42001,
      errmsg: expect.stringMatching(/^access_token expired rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/),
    })
  })

  it.each([
    [40002, { grant_type: 'authorization_code' }],
    [41002, { appid: '' }],
    [41004, { secret: '' }],
    [40013, { appid: 'wxdoesnotexist' }],
    [40125, { secret: 'wrong' }],
    [40001, { secret: OTHER.secret }],
  ])('is refused with %i for %o', async (errcode, changes) => {
    const { classic, stable } = await setup({ accounts: [MINE, OTHER] })
    for (const { status, json } of [await classic(changes), await stable(changes)]) {
      expect(status).toBe(200)
      expect(json).toEqual({ errcode, errmsg: expect.stringMatching(/ rid: /) })
    }
  })

  it('leaves the stable token alone, and the other way round', async () => {
    const { classicToken, newToken, send, control } = await setup()
    const stable = await newToken()
    const classic = await classicToken()
    expect((await send({}, { token: stable })).json.errcode).toBe(0)
    await newToken({ force_refresh: true })
    expect((await send({}, { token: classic })).json.errcode).toBe(0)
    const forced = await newToken()
    await classicToken()
    control.advanceClock(5 * MINUTE)
    expect((await send({}, { token: classic })).json.errcode).toBe(40001)
    expect((await send({}, { token: forced })).json.errcode).toBe(0)
  })
})

describe('the stable token', () => {
  it('is the same at each call, with the life that is left', async () => {
    const { stable, control } = await setup()
    const first = (await stable()).json
    expect(first.expires_in).toBe(7200)
    control.advanceClock(100 * SECOND)
    expect((await stable()).json).toEqual({ access_token: first.access_token, expires_in: 7100 })
  })

  it('is renewed within its last five minutes, in which both are valid', async () => {
    const { stable, newToken, send, control } = await setup()
    const first = await newToken()
    control.advanceClock(6900 * SECOND)
    expect((await stable()).json).toEqual({ access_token: first, expires_in: 300 })
    control.advanceClock(SECOND)
    const second = (await stable()).json
    expect(second.access_token).not.toBe(first)
    expect(second.expires_in).toBeGreaterThanOrEqual(300)
    control.advanceClock(298 * SECOND)
    expect((await send({}, { token: first })).json.errcode).toBe(0)
    expect((await send({}, { token: second.access_token ?? '' })).json.errcode).toBe(0)
    control.advanceClock(SECOND)
    expect((await send({}, { token: first })).json.errcode).toBe(42001)
  })

  it('never has less than 300 seconds left when it is handed out', async () => {
    const { stable, control } = await setup()
    for (let call = 0; call < 60; call += 1) {
      expect((await stable()).json.expires_in).toBeGreaterThanOrEqual(300)
      control.advanceClock(397 * SECOND)
    }
  })

  it('is killed by a forced refresh', async () => {
    const { stable, newToken, send } = await setup()
    const first = await newToken()
    const second = (await stable({ force_refresh: true })).json
    expect(second).toEqual({ access_token: expect.any(String), expires_in: 7200 })
    expect(second.access_token).not.toBe(first)
    expect((await send({}, { token: first })).json.errcode).toBe(40001)
    expect((await send({}, { token: second.access_token ?? '' })).json.errcode).toBe(0)
  })

  it('is not refreshed by force twice within 30 seconds', async () => {
    const { newToken, control } = await setup()
    const first = await newToken({ force_refresh: true })
    control.advanceClock(30 * SECOND - 1)
    expect(await newToken({ force_refresh: true })).toBe(first)
    control.advanceClock(1)
    expect(await newToken({ force_refresh: true })).not.toBe(first)
  })

  it('is refreshed by force 20 times a day, counted from midnight in Beijing', async () => {
    const { newToken, control } = await setup()
    const tokens = new Set<string>()
    for (let call = 0; call < 25; call += 1) {
      tokens.add(await newToken({ force_refresh: true }))
      control.advanceClock(MINUTE)
    }
    expect(tokens.size).toBe(20)
    control.advanceClock(14 * HOUR)
    const fresh = await newToken()
    expect(await newToken({ force_refresh: true })).not.toBe(fresh)
  })

  it('is a new one after all tokens were killed', async () => {
    const { newToken, send, control } = await setup()
    const first = await newToken()
    expect(control.killTokens()).toBe(1)
    expect((await send({}, { token: first })).json.errcode).toBe(40001)
    expect(await newToken()).not.toBe(first)
  })

  it('is refused with 45011 after 10,000 calls in one minute', { tags: ['long'] }, async () => {
    const { url, stable, control } = await setup()
    const pool = new Pool(url, { connections: 16 })
    const body = JSON.stringify({
      grant_type: 'client_credential',
      appid: MINE.appId,
      secret: MINE.secret,
    })
    let left = 10_000
    const worker = async () => {
      while (left > 0) {
        left -= 1
        await (await pool.request({ path: '/cgi-bin/stable_token', method: 'POST', body })).body.dump()
      }
    }
    await Promise.all(Array.from({ length: 16 }, worker))
    expect((await stable()).json.errcode).toBe(45011)
    control.advanceClock(MINUTE)
    expect((await stable()).json.errcode).toBeUndefined()
    await pool.close()
  })

  it('needs POST and a JSON object', async () => {
    const { call, post } = await setup()
    expect((await call('/cgi-bin/stable_token')).json.errcode).toBe(43002)
    expect((await post('/cgi-bin/stable_token', '')).json.errcode).toBe(44002)
    expect((await post('/cgi-bin/stable_token', 'appid=x')).json.errcode).toBe(47001)
  })
})

describe('asking for a token', () => {
  it('is refused with 40243 while the secret is frozen', async () => {
    const { classic, stable, control } = await setup()
    control.putAccount({ ...MINE, secretFrozen: true })
    expect((await classic()).json.errcode).toBe(40243)
    expect((await stable()).json.errcode).toBe(40243)
    control.putAccount(MINE)
    expect((await stable()).json.errcode).toBeUndefined()
  })

  it('is refused with 40164 from an address that is not on the account’s list, which it names', async () => {
    const { classic, stable, classicToken, send, control } = await setup()
    const token = await classicToken()
    control.putAccount({ ...MINE, ipAllowlist: ['203.0.113.7'] })
    for (const { json } of [await classic(), await stable()])
      expect(json).toEqual({
        errcode: 40164,
        errmsg: expect.stringMatching(
          /^invalid ip 127\.0\.0\.1 ipv6 ::ffff:127\.0\.0\.1, not in whitelist rid: /,
        ),
      })
    // Only for tokens: one that is known works from everywhere.
    expect((await send({}, { token })).json.errcode).toBe(0)
    control.putAccount({ ...MINE, ipAllowlist: ['203.0.113.7', '127.0.0.1'] })
    expect((await stable()).json.errcode).toBeUndefined()
  })

  it('classically is refused with 45009 after the day’s quota', async () => {
    const { classic, control } = await setup()
    control.configure({ dailyQuotas: { '/cgi-bin/token': 2 } })
    const codes = []
    for (let call = 0; call < 3; call++) codes.push((await classic()).json.errcode)
    expect(codes).toEqual([undefined, undefined, 45009])
  })
})

describe('a send', () => {
  it('is refused with 41001, 40014 or 40001 when the token is missing, malformed or unknown', async () => {
    const { post, message, send } = await setup()
    expect((await post('/cgi-bin/message/wxopen/template/send', message())).json.errcode).toBe(41001)
    expect((await send({}, { token: 'undefined' })).json.errcode).toBe(40014)
    expect((await send({}, { token: `98_${'a'.repeat(134)}` })).json.errcode).toBe(40001)
  })
})
