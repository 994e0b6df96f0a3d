import { describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { HOUR_MS, SEND_PATH, TEMPLATE_ID } from '../helpers/constants.js'
import { useDashboard } from '../helpers/dashboard.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { signedIn } from '../helpers/operator.js'
import { diesOf, stateOf, submitOver } from '../helpers/submitted-calls.js'
import { openIdOf, users } from '../helpers/users.js'

const OTHER = 'another-template'

describe.each(dialects)('the pages of submitted messages on %s', (dialect) => {
  const stage = useDashboard(dialect, { TEMPLATES: OTHER })
  const { service } = stage
  const actions = () =>
    selectRows<{ action: string; who: string; details: string; outcome: string; note: string | null }>(
      service.db,
      "SELECT action, who, details, outcome, note FROM wx_operator_action WHERE action <> 'sign_in' ORDER BY id",
    )

  test('are there in both languages, empty and with a message in each state', async () => {
    await stage.has(users(1, 4).permits(2))
    for (const headers of [{}, { 'accept-language': 'zh-CN' }]) {
      const operator = await signedIn(service, headers)
      const { status, text } = await operator.get('/dashboard/messages')
      expect(status).toBe(200)
      expect(text).not.toContain('<table>')
    }
    const [dead = 0] = await submitOver(service, [1])
    await diesOf(stage, 47003)
    const [delivered = 0] = await submitOver(service, [2])
    await eventually('it is sent', async () => (await stateOf(service, delivered)) === 'delivered')
    const [queued = 0] = await submitOver(service, [3], { not_before: stage.clock.now() + HOUR_MS })
    const [none = 0] = await submitOver(service, [404])
    for (const headers of [{}, { 'accept-language': 'zh-CN' }]) {
      const operator = await signedIn(service, headers)
      for (const path of [
        '',
        '?state=dead&errcode=47003',
        `?template=${TEMPLATE_ID}`,
        '/requeue',
        `/${dead}`,
        `/${dead}/requeue`,
        `/${delivered}`,
        `/${queued}`,
        `/${queued}/cancel`,
        `/${none}`,
      ]) {
        const { status, text } = await operator.get(`/dashboard/messages${path}`)
        expect(status, path).toBe(200)
        expect(text, path).toContain('<h1>')
        expect(text, path).not.toMatch(/undefined|NaN|\[object|Invalid Date|\d-\d\dT\d\d:/)
        expect(text, path).not.toContain(openIdOf(1))
      }
    }
  })

  test('list what the filter asks for, page by page, with how many there are', async () => {
    await stage.has(users(1, 40).permits(1))
    const ids = await submitOver(service, users(1, 40).ids, { not_before: stage.clock.now() + HOUR_MS })
    const operator = await signedIn(service)
    const shownOn = async (path: string) => {
      const { text } = await operator.get(path)
      const shown = [...text.matchAll(/<td class="whole"><a href="\/dashboard\/messages\/(\d+)"/g)].map(
        ([, id]) => Number(id),
      )
      const older = /href="(\/dashboard\/messages\?[^"]*before[^"]*)"/.exec(text)?.[1]
      return { text, shown, older: older?.replaceAll('&#38;', '&').replaceAll('&#61;', '=') ?? '' }
    }
    const first = await shownOn('/dashboard/messages?state=queued')
    expect(first.text).toContain('>40</a>')
    const second = await shownOn(first.older)
    expect([...first.shown, ...second.shown]).toEqual([...ids].reverse())
    expect(second.older).toBe('')
    for (const query of ['state=dead', `template=${OTHER}`, 'errcode=47003'])
      expect((await shownOn(`/dashboard/messages?${query}`)).shown, query).toEqual([])
    expect((await shownOn('/dashboard/messages?state=open')).shown).toHaveLength(30)
    const bad = await shownOn('/dashboard/messages?errcode=many')
    expect(bad.text).toContain('A code is a whole number')
  })

  test('cancel one that waits, on record, and say why another cannot be cancelled any more', async () => {
    await stage.has(users(1, 1).permits(1))
    const [id = 0] = await submitOver(service, [1], { not_before: stage.clock.now() + HOUR_MS })
    const operator = await signedIn(service)
    const cancel = () => operator.send(`/dashboard/messages/${id}/cancel`, `/dashboard/messages/${id}/cancel`)
    expect((await operator.get(`/dashboard/messages/${id}`)).text).toContain('Cancel …')
    const forged = await operator.post(`/dashboard/messages/${id}/cancel`, { form_token: 'forged' })
    expect([forged.status, await stateOf(service, id)]).toEqual([403, 'queued'])
    expect((await cancel()).headers.get('location')).toBe(`/dashboard/messages/${id}`)
    expect(await stateOf(service, id)).toBe('cancelled')
    const { text } = await operator.get(`/dashboard/messages/${id}`)
    expect(text).toContain('cancelled by an operator')
    expect(text).not.toContain('Cancel …')
    expect(await actions()).toMatchObject([
      { action: 'cancel_message', who: '王芳', details: `{"message_id":${id}}`, outcome: 'done' },
    ])
    await execute(service.db, "UPDATE wx_submitted_message SET state = 'expired' WHERE message_id = ?", [id])
    const late = await cancel()
    expect([late.status, late.text.includes('can no longer be cancelled')]).toEqual([409, true])
    expect((await actions()).at(-1)).toMatchObject({ outcome: 'failed' })
  })

  test('explain a dead letter, and queue it again with the hours that it needs', async () => {
    await stage.has(users(1, 1).permits(4))
    const [id = 0] = await submitOver(service, [1])
    await diesOf(stage, 47003)
    const operator = await signedIn(service)
    const { text } = await operator.get(`/dashboard/messages/${id}`)
    expect(text).toContain('dead letter')
    expect(text.match(/47003 <small>/g)).toHaveLength(3)
    expect(text).toContain('data_breaks_rule')
    expect(text).toContain('given back')

    const path = `/dashboard/messages/${id}/requeue`
    // A session ends after twelve hours, too.
    stage.clock.advance(30 * HOUR_MS)
    expect((await operator.signIn()).status).toBe(303)
    for (const hours of ['', '0', '169', 'two'])
      expect((await operator.send(path, path, { hours })).status, hours).toBe(422)
    expect(await stateOf(service, id)).toBe('dead')
    expect((await operator.send(path, path, { hours: '2' })).status).toBe(303)
    await eventually('it goes out', async () => (await stateOf(service, id)) === 'delivered')
    expect(await actions()).toMatchObject([
      { action: 'requeue_message', details: `{"message_id":${id},"hours":2}`, outcome: 'done' },
    ])
    const again = await operator.send(path, path, { hours: '2' })
    expect([again.status, again.text.includes('no dead letter any more')]).toEqual([409, true])
  })

  test('queue dead letters again that a filter means, after a preview, and tell what came of it', async () => {
    await stage.has(users(1, 4).permits(1))
    const ids = await submitOver(service, [1, 2])
    await diesOf(stage, 47003)
    const [other = 0] = await submitOver(service, [3])
    await diesOf(stage, 40037)
    const [first = 0, second = 0] = ids
    await execute(service.db, 'UPDATE wx_submitted_message SET not_after = 5 WHERE message_id = ?', [second])
    const operator = await signedIn(service)
    const path = '/dashboard/messages/requeue'
    const preview = await operator.get(`${path}?errcode=47003`)
    expect([...preview.text.matchAll(/<dd>(\d+)/g)].map(([, n]) => Number(n))).toEqual([2, 1, 2])
    expect((await operator.get(`${path}?template=${OTHER}`)).text).toContain('No dead letters like these')
    expect((await operator.get(`${path}?errcode=x`)).status).toBe(422)

    const done = await operator.send(`${path}?errcode=47003`, path, { errcode: '47003', template: '' })
    expect([done.status, done.headers.get('location')]).toEqual([
      303,
      '/dashboard/messages?state=dead&errcode=47003',
    ])
    await eventually('it goes out', async () => (await stateOf(service, first)) === 'delivered')
    expect([await stateOf(service, second), await stateOf(service, other)]).toEqual(['dead', 'dead'])
    const [action] = await actions()
    expect(action).toMatchObject({
      action: 'requeue_all',
      outcome: 'done',
      note: '1 queued again, 1 stay as they are (message_expired 1)',
    })
    const list = await operator.get('/dashboard/messages')
    expect(list.text).toContain('has queued dead letters again')
    expect(list.text).toContain('message_expired 1')
    expect((await operator.send(path, path, { hours: '24' })).status).toBe(303)
    await eventually('all have gone out', async () => (await stateOf(service, other)) === 'delivered')
    expect(await stateOf(service, second)).toBe('delivered')
  })

  test("are reached from the user's page and from the codes of Errors", async () => {
    await stage.has(users(1, 1).permits(1))
    const [id = 0] = await submitOver(service, [1])
    await diesOf(stage, 47003)
    const operator = await signedIn(service)
    const link = `href="/dashboard/messages/${id}"`
    expect((await operator.get('/dashboard/user/1')).text).toContain(link)
    stage.wechat.addFault({ kind: 'errcode', errcode: 40037, match: { path: SEND_PATH } })
    expect((await operator.send('/dashboard/run', '/dashboard/run')).status).toBe(303)
    await eventually('Errors has the code', async () =>
      (await operator.get('/dashboard/errors')).text.includes('href="/dashboard/messages?errcode'),
    )
  })

  test('answer what is not there with a page that says so', async () => {
    const operator = await signedIn(service)
    for (const path of ['/7', '/x', '/0', '/7/cancel', '/7/requeue', '/99999999999999999999'])
      expect((await operator.get(`/dashboard/messages${path}`)).status, path).toBe(404)
  })
})
