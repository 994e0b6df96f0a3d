import { describe, expect, onTestFinished, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { examine } from '../../src/operations/doctor.js'
import { examineKept } from '../../src/preflight/examine-account.js'
import { type AccountOptions, DEMO_ACCOUNT } from '../../src/sandbox/accounts.js'
import {
  FORM_ID_LIST_PATH,
  OFFICIAL_LIST_PATH,
  SUBSCRIBE_LIST_PATH,
} from '../../src/sandbox/template-endpoints.js'
import type { TemplateOptions } from '../../src/sandbox/templates.js'
import { pendingMigrations } from '../../src/schema.js'
import { HOUR_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { useWorld } from '../helpers/world.js'

const PATHS = { form_id: FORM_ID_LIST_PATH, subscribe: SUBSCRIBE_LIST_PATH, official: OFFICIAL_LIST_PATH }

describe.each(dialects)('the doctor and the template on %s', (dialect) => {
  const world = useWorld(dialect)

  const asked = (path: string): number =>
    Object.values(world.wechat.stats().answers[path] ?? {}).reduce((sum, n) => sum + n, 0)

  async function findings(changes: Partial<Account> = {}, timeoutMs = 5_000) {
    const { auxiliary } = world.startProcess({ looksFirst: true, timeoutMs })
    const account = { ...world.account, ...changes }
    const all = await examine({
      db: world.db,
      pendingMigrations,
      account,
      systemNow: Date.now,
      getToken: async () => 'token',
      auxiliary,
    })
    return all.filter(({ name }) => name.startsWith('template') || name === 'page')
  }
  const statuses = async (...args: Parameters<typeof findings>) =>
    Object.fromEntries((await findings(...args)).map(({ name, status }) => [name, status]))

  test.each(['form_id', 'subscribe', 'official'] as const)(
    'finds a right one right on %s, and asks once an hour',
    async (channel) => {
      const changes = { channel, url: 'https://example.com/' }
      expect(await statuses(changes)).toMatchObject({ template: 'ok', template_keys: 'ok', page: 'ok' })
      expect(await statuses(changes)).toMatchObject({ template: 'ok' })
      expect(asked(PATHS[channel])).toBe(1)
    },
  )

  test('names one of another account, and asks anew at each look as long as it does not fit', async () => {
    const wrong = { templateId: 'another' }
    expect(await findings(wrong)).toMatchObject([
      { name: 'template', status: 'fail', finding: 'template_not_of_account', fix_zh: expect.any(String) },
      { name: 'page', status: 'ok' },
    ])
    await findings(wrong)
    expect(asked(FORM_ID_LIST_PATH)).toBe(2)
  })

  test('warns of further templates that the account has not', async () => {
    const { templateId } = world.account
    expect(await findings({ templates: [templateId, 'unknown'] })).toContainEqual(
      expect.objectContaining({
        name: 'templates',
        status: 'warn',
        reason: expect.stringContaining('no template unknown'),
      }),
    )
  })

  test('takes a template of subscribe messages on form_id for one that waits for the move', async () => {
    const own: AccountOptions = { ...DEMO_ACCOUNT, appId: world.account.appId }
    onTestFinished(() => world.wechat.putAccount(own))
    const ofSubscribe: TemplateOptions = { keys: ['thing1'], channel: 'subscribe' }
    world.wechat.putAccount({ ...own, templates: { ...own.templates, 'of-subscribe': ofSubscribe } })
    const templates = ['of-subscribe', 'of-nobody']
    const warned = async () =>
      (await findings({ templates })).filter(({ name }) => name === 'templates').map(({ reason }) => reason)
    expect(await warned()).toEqual([expect.stringContaining('no template of-nobody')])
    expect(await warned()).toHaveLength(1)
    expect(asked(SUBSCRIBE_LIST_PATH)).toBe(1)
    const unasked = await examineKept(world.db, { ...world.account, templates })
    expect(unasked.findings.filter(({ name }) => name === 'templates')).toHaveLength(1)
  })

  test('says nothing of further templates on form_id while the list of subscribe messages is not to be had', async () => {
    world.wechat.addFault({ kind: 'errcode', errcode: 45009, match: { path: SUBSCRIBE_LIST_PATH } })
    expect(await statuses({ templates: ['unknown'] })).not.toHaveProperty('templates')
  })

  test.each(['hang', 'cut_before', 'garbage'] as const)(
    'says that it could not look, if each list meets %s, and fails nothing',
    async (kind) => {
      world.wechat.addFault({ kind, match: { path: FORM_ID_LIST_PATH } })
      expect(await statuses({}, 300)).toMatchObject({ template: 'warn' })
    },
  )

  test('goes by the list that it had, and says so, if there is no newer one', async () => {
    await findings()
    await world.db('wx_platform_answer').update({ answered_at: Date.now() - 2 * HOUR_MS })
    world.wechat.addFault({ kind: 'errcode', errcode: 45009, match: { path: FORM_ID_LIST_PATH } })
    expect(await findings()).toMatchObject([
      { name: 'template', status: 'ok' },
      { name: 'template_keys', status: 'ok' },
      { name: 'template_list', status: 'warn', reason: expect.stringContaining('45009') },
      { name: 'page', status: 'ok' },
    ])
  })
})
