import { describe, expect, onTestFinished, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { SEND_PATH } from '../helpers/constants.js'
import { useDashboard } from '../helpers/dashboard.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { signedIn, tokenIn } from '../helpers/operator.js'
import { openIdOf, user, users } from '../helpers/users.js'

const ATTACK = '<script>alert(1)</script>'

describe.each(dialects)('the pages on %s', (dialect) => {
  const stage = useDashboard(dialect, {
    REMINDER_DATA: `{"keyword1":"${ATTACK}","keyword2":[{"min_streak":2,"text":"已经连续答题{streak}天"},{"text":"今天开始答题吧"}],"keyword4":"{date}"}`,
  })
  const { service } = stage
  const zh = { 'accept-language': 'zh-CN' }

  const runState = async () => {
    const rows = await selectRows<{ state: string }>(
      service.db,
      "SELECT state FROM wx_job_run WHERE job = 'remind'",
    )
    return rows[0]?.state
  }
  async function runToItsEnd(): Promise<string> {
    const operator = await signedIn(service)
    expect((await operator.send('/dashboard/run', '/dashboard/run')).status).toBe(303)
    return eventually('the run ends', async () => {
      const state = await runState()
      return state !== undefined && state !== 'running' && state
    })
  }

  test('are all there in both languages, with and without rows', async () => {
    for (const filled of [false, true]) {
      if (filled) {
        await stage.has(users(1, 5).permits(2).streak(2), user(6).signedInToday())
        expect(await runToItsEnd()).toBe('done')
      }
      for (const headers of [{}, zh]) {
        const operator = await signedIn(service, headers)
        for (const path of [
          '',
          '/plan',
          '/run',
          '/pause',
          '/resume',
          '/permits',
          '/permits?days=30',
          '/history?days=90',
          '/user',
          '/errors',
          '/errors?date=2026-11-19&class=user',
          '/health',
          ...(filled ? ['/user/1', '/user/1?date=2026-11-21', '/user/1/opt-out'] : []),
        ]) {
          const { status, text } = await operator.get(`/dashboard${path}`)
          expect(status, path).toBe(200)
          expect(text, path).toContain('<h1>')
          expect(text, path).not.toMatch(/undefined|NaN|\[object|Invalid Date/)
          expect(text, path).not.toContain(openIdOf(1))
        }
      }
    }
  })

  test("say that all went well, with the numbers, in the reader's words", async () => {
    await stage.has(users(1, 3).permits(1), users(4, 5).permits(1).signedInToday())
    expect(await runToItsEnd()).toBe('done')
    expect((await (await signedIn(service)).get('/dashboard')).text).toContain(
      'Yes. All 3 users who were due were reminded.',
    )
    expect((await (await signedIn(service, zh)).get('/dashboard')).text).toContain(
      '应提醒的 3 人全部提醒成功',
    )
  })

  test('show what a user with a streak would read today, and one without', async () => {
    const { text } = await (await signedIn(service)).get('/dashboard')
    expect(text.indexOf('已经连续答题7天')).toBeGreaterThan(0)
    expect(text.indexOf('今天开始答题吧')).toBeGreaterThan(text.indexOf('已经连续答题7天'))
    expect(text).not.toContain('{streak}')
  })

  test("escape the operator's own texts and WeChat's", async () => {
    await stage.has(users(1, 2).permits(1))
    stage.wechat.addFault({ kind: 'errcode', errcode: 40037, errmsg: ATTACK, match: { path: SEND_PATH } })
    expect(await runToItsEnd()).toBe('halted')
    const operator = await signedIn(service)
    for (const path of ['', '/user/1', '/errors', '/plan', '/health']) {
      const { text } = await operator.get(`/dashboard${path}`)
      expect(text, path).not.toContain(ATTACK)
    }
    expect((await operator.get('/dashboard')).text).toContain('&#60;script&#62;alert(1)')
  })

  test('answer what is not there or not right with a page that says so', async () => {
    const operator = await signedIn(service)
    for (const [path, status] of [
      ['/user/99', 404],
      ['/user/0x10', 422],
      ['/user/99999999999999999999', 422],
      ['/user/1?date=tomorrow', 404],
      ['/errors/retry', 404],
      ['/assets', 404],
    ] as const) {
      const answer = await operator.get(`/dashboard${path}`)
      expect(answer.status, path).toBe(status)
      expect(answer.headers.get('content-type'), path).toMatch(/^text\/html/)
    }
    const none = await operator.send('/dashboard/user', '/dashboard/user', { who: openIdOf(5) })
    expect([none.status, none.text.includes(openIdOf(5))]).toEqual([404, true])
    const bad = await operator.send('/dashboard/run', '/dashboard/run', { limit: '-1' })
    expect(bad.status).toBe(422)
  })

  test('write down what was asked for before it is done, and what came of it', async () => {
    const operator = await signedIn(service)
    expect((await operator.send('/dashboard/pause', '/dashboard/pause')).status).toBe(404)
    expect(
      await selectRows(
        service.db,
        "SELECT action, outcome, note FROM wx_operator_action WHERE action = 'pause'",
      ),
    ).toEqual([{ action: 'pause', outcome: 'failed', note: 'There is no run of 2026-11-20 to pause' }])
    const { text } = await operator.get('/dashboard/health')
    expect(text).toContain('There is no run of 2026-11-20 to pause')
  })

  test('say whether the template fits, by the kept list, and what is left of the quota', async () => {
    // Whatever the tests before have used of the quota, and this one's limit, is forgotten.
    stage.wechat.reset()
    onTestFinished(() => stage.wechat.reset())
    await stage.has(users(1, 5).permits(1))
    stage.wechat.configure({ dailyQuotas: { [SEND_PATH]: 2 } })
    const operator = await signedIn(service)
    expect((await operator.get('/dashboard/health')).text).toContain('has not listed the templates yet')
    await operator.send('/dashboard/run', '/dashboard/run')
    await eventually('the page says that the quota is used up', async () =>
      (await operator.get('/dashboard')).text.includes('WeChat takes 0 more messages today, and 3 reminders'),
    )
    await eventually(
      'the run has asked at its start, and once more at its end',
      async () => stage.wechat.stats().answers['/cgi-bin/openapi/quota/get']?.[0] === 2,
    )
    const { text } = await operator.get('/dashboard/health')
    expect(text).toContain('is a template of')
    expect(text).toMatch(/0 of \d+ messages left, 3 of them kept/)
    expect((await operator.get('/dashboard/errors')).text).toContain('quota_used_up')
    const before = stage.wechat.stats().answers
    await operator.get('/dashboard/health')
    expect(stage.wechat.stats().answers).toEqual(before)
  })

  test('show the checks in the language of the reader', async () => {
    const askIn = async (language: string): Promise<string> => {
      const operator = await signedIn(service, { 'accept-language': language })
      return (await operator.send('/dashboard/health', '/dashboard/health/checks')).text
    }
    expect(await askIn('en')).toContain('a row was written and rolled back')
    const chinese = await askIn('zh-CN')
    expect(chinese).toContain('写入一行并回滚成功')
    expect(chinese).not.toContain('a row was written')
  })

  test('name a user whose number JavaScript would round', async () => {
    const id = '9007199254740993'
    await service
      .db('wx_message_push_status')
      .insert({ app_id: service.account.appId, user_id: id, count: 0 })
    const operator = await signedIn(service)
    const found = await operator.send('/dashboard/user', '/dashboard/user', { who: id })
    expect([found.status, found.headers.get('location')]).toEqual([303, `/dashboard/user/${id}`])
    expect((await operator.get(`/dashboard/user/${id}`)).text).toContain(`User ${id}`)
  })

  test('opt a user out and bring the user back', async () => {
    await stage.has(user(7).permits(1).optedOut())
    const operator = await signedIn(service)
    const stopped = async () =>
      (await selectRows<{ at: number | null }>(service.db, 'SELECT opted_out_at AS at FROM wx_user'))[0]?.at
    await operator.send('/dashboard/user/7/bring-back', '/dashboard/user/7/bring-back')
    expect(await stopped()).toBe(null)
    await operator.send('/dashboard/user/7/opt-out', '/dashboard/user/7/opt-out')
    expect(await stopped()).toBe(stage.clock.now())
  })

  test('send what changes to whoever looks, until the session is over', async () => {
    await stage.has(users(1, 3).permits(1))
    const operator = await signedIn(service)
    const cookie = [...operator.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const leave = new AbortController()
    const response = await fetch(`${service.url}/dashboard/events`, {
      headers: { cookie },
      signal: leave.signal,
    })
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    let heard = ''
    const ended = (async () => {
      const decoder = new TextDecoder()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        heard += decoder.decode(value, { stream: true })
      }
    })()
    await eventually('the first state', () => heard.includes('"state":"late"'))
    const form_token = tokenIn((await operator.get('/dashboard/run')).text)
    await operator.post('/dashboard/run', { form_token })
    await eventually('the end of the run', () => heard.includes('"state":"done"'))
    expect(heard).not.toContain(form_token)
    stage.clock.advance(13 * 3_600_000)
    await ended
    expect(heard).toContain('event: bye')
  })
})
