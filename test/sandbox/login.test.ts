import { describe, expect, it } from 'vitest'
import { MINUTE } from '../../src/sandbox/clock.js'
import { APP_ID, APP_SECRET } from '../helpers/constants.js'
import { OPEN_ID, setup } from './helpers.js'

const OTHER = { appId: 'wx00000000000000aa', secret: 'ffffffffffffffffffffffffffffffff' }
const MINE = { appId: APP_ID, secret: APP_SECRET }

async function loginSetup() {
  const world = await setup({ accounts: [MINE, OTHER] })
  const login = async (code: string, changes: Record<string, string> = {}) => {
    const query = { grant_type: 'authorization_code', appid: MINE.appId, secret: MINE.secret, js_code: code }
    const { status, text } = await world.call(
      `/sns/jscode2session?${new URLSearchParams({ ...query, ...changes })}`,
    )
    expect(status).toBe(200)
    return JSON.parse(text)
  }
  return { ...world, login }
}

describe('a login', () => {
  it('is answered without an errcode, with a session_key of 16 bytes', async () => {
    const { login, control } = await loginSetup()
    const answer = await login(control.issueLoginCode({ openId: OPEN_ID }))
    expect(answer).toEqual({ openid: OPEN_ID, session_key: expect.stringMatching(/^[\w+/]{22}==$/) })
  })

  it('names the unionid of an app that is bound to an open platform account', async () => {
    const { login, control } = await loginSetup()
    const code = control.issueLoginCode({ openId: OPEN_ID, unionId: 'uUnion' })
    expect(await login(code)).toMatchObject({ openid: OPEN_ID, unionid: 'uUnion' })
  })

  it('takes a code once: 40163', async () => {
    const { login, control } = await loginSetup()
    const code = control.issueLoginCode({ openId: OPEN_ID })
    await login(code)
    expect(await login(code)).toEqual({
      errcode: 40163,
      errmsg: expect.stringMatching(/^code been used rid: /),
    })
  })

  it('takes a code for five minutes: 40029', async () => {
    const { login, control } = await loginSetup()
    const [first, second] = [1, 2].map(() => control.issueLoginCode({ openId: OPEN_ID }))
    control.advanceClock(5 * MINUTE - 1)
    expect(await login(first ?? '')).toMatchObject({ openid: OPEN_ID })
    control.advanceClock(1)
    expect(await login(second ?? '')).toMatchObject({ errcode: 40029 })
  })

  it.each([
    [40029, { js_code: 'of nobody' }],
    [40029, { js_code: '' }],
    [40029, { appid: OTHER.appId, secret: OTHER.secret }],
    [40002, { grant_type: 'client_credential' }],
    [40013, { appid: 'wx1' }],
    [40125, { secret: 'wrong' }],
    [41002, { appid: '' }],
    [41004, { secret: '' }],
  ])('is refused with %i for %o, and the code stays good', async (errcode, changes) => {
    const { login, control } = await loginSetup()
    const code = control.issueLoginCode({ openId: OPEN_ID })
    expect(await login(code, changes)).toMatchObject({ errcode })
    expect(await login(code)).toMatchObject({ openid: OPEN_ID })
  })

  it('is refused with 40226 as long as the person counts as high-risk', async () => {
    const { login, control } = await loginSetup()
    const code = control.issueLoginCode({ openId: OPEN_ID })
    control.markHighRisk({ openId: OPEN_ID })
    expect(await login(code)).toMatchObject({ errcode: 40226 })
    control.markHighRisk({ openId: OPEN_ID, highRisk: false })
    expect(await login(code)).toMatchObject({ openid: OPEN_ID })
  })

  it('is refused with 45011 after 100 of one person in a minute', async () => {
    const { login, control } = await loginSetup()
    for (let i = 0; i < 100; i++) await login(control.issueLoginCode({ openId: OPEN_ID }))
    const code = control.issueLoginCode({ openId: OPEN_ID })
    expect(await login(code)).toMatchObject({ errcode: 45011 })
    expect(await login(control.issueLoginCode({ openId: 'oOther' }))).toMatchObject({ openid: 'oOther' })
    control.advanceClock(MINUTE)
    expect(await login(code)).toMatchObject({ openid: OPEN_ID })
  })

  it('is played over HTTP as well', async () => {
    const { login, post } = await loginSetup()
    const { code } = JSON.parse(
      (await post('/sandbox/login-codes', { open_id: OPEN_ID, union_id: 'u1' })).text,
    )
    expect((await post('/sandbox/high-risk', { open_ids: [OPEN_ID] })).status).toBe(204)
    expect(await login(code)).toMatchObject({ errcode: 40226 })
    expect((await post('/sandbox/high-risk', { open_ids: [OPEN_ID], high_risk: false })).status).toBe(204)
    expect(await login(code)).toMatchObject({ openid: OPEN_ID, unionid: 'u1' })
    expect((await post('/sandbox/login-codes', {})).status).toBe(400)
  })

  it('takes any code on request: each is another person, always the same one', async () => {
    const { login, control } = await loginSetup()
    control.configure({ anyLoginCode: true })
    const first = await login('code-of-the-developer-tools-1')
    expect(first).toMatchObject({ openid: expect.stringMatching(/^o[\w-]{27}$/) })
    expect((await login('code-of-the-developer-tools-2')).openid).not.toBe(first.openid)
    control.reset()
    expect(await login('code-of-the-developer-tools-1')).toMatchObject({ errcode: 40029 })
    control.configure({ anyLoginCode: true })
    expect(await login('code-of-the-developer-tools-1')).toMatchObject({ openid: first.openid })
  })

  it('takes any code for one named person, and only once and for five minutes', async () => {
    const { login, control, post } = await loginSetup()
    await post('/sandbox/settings', { any_login_code: 'oDeveloper' }, { method: 'PUT' })
    expect(await login('')).toMatchObject({ errcode: 40029 })
    expect(await login('one')).toMatchObject({ openid: 'oDeveloper' })
    expect(await login('two')).toMatchObject({ openid: 'oDeveloper' })
    expect(await login('one')).toMatchObject({ errcode: 40163 })
    control.advanceClock(5 * MINUTE)
    expect(await login('one')).toMatchObject({ errcode: 40029 })
    await post('/sandbox/settings', { any_login_code: false }, { method: 'PUT' })
    expect(await login('three')).toMatchObject({ errcode: 40029 })
  })

  it('of a strange code needs the right secret all the same', async () => {
    const { login, control } = await loginSetup()
    control.configure({ anyLoginCode: true })
    expect(await login('a', { secret: 'wrong' })).toMatchObject({ errcode: 40125 })
    expect(await login('a')).toMatchObject({ openid: expect.any(String) })
  })

  it('is forgotten by a reset', async () => {
    const { login, control } = await loginSetup()
    const code = control.issueLoginCode({ openId: OPEN_ID })
    control.reset()
    expect(await login(code)).toMatchObject({ errcode: 40029 })
  })
})
