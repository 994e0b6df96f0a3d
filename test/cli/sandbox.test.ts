import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startCommand } from '../helpers/command-line.js'
import { eventually } from '../helpers/eventually.js'

// @module-tag programs

/** The command, on a free port; its base URL once it listens. */
async function sandbox(words: string[], env: Record<string, string> = {}) {
  const command = startCommand(['sandbox', '--port', '0', ...words], env)
  const url = await eventually('it listens', () => /http:\S+\d/.exec(command.stdout)?.[0])
  return { command, url, get: async (path: string) => JSON.parse(await (await fetch(url + path)).text()) }
}

function file(json: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'sandbox-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'accounts.json')
  writeFileSync(path, JSON.stringify(json), { mode: 0o600 })
  return path
}

const APP = { appid: 'wx5a6d9e0c1b2f3a48', secret: '0123456789abcdef0123456789abcdef' }
const tokenOf = (appid: string, secret: string) =>
  `/cgi-bin/token?${new URLSearchParams({ grant_type: 'client_credential', appid, secret })}`
const login = (js_code: string) =>
  `/sns/jscode2session?${new URLSearchParams({ ...APP, js_code, grant_type: 'authorization_code' })}`

test('it knows the accounts of a file, and no others', async () => {
  const path = file({ accounts: [{ app_id: 'wxFile', app_secret: 'a-secret' }] })
  const { command, get } = await sandbox(['--accounts', path])
  expect(await get(tokenOf('wxFile', 'a-secret'))).toMatchObject({ expires_in: 7200 })
  expect(await get(tokenOf(APP.appid, APP.secret))).toMatchObject({ errcode: 40013 })
  command.kill('SIGTERM')
  expect(await command.ended).toMatchObject({ code: 0 })
})

test('it knows the accounts that the service serves, with the keys of their reminders', async () => {
  const reminder = { cron: '0 9 * * *', template_id: 't-reminder', data: { thing1: '签到', date2: '{date}' } }
  const accounts = [
    {
      app_id: 'wxaaaaaaaaaaaaaaa1',
      app_secret: `\${SECRET_A}`,
      channel: 'subscribe',
      reminder,
      templates: ['t-other'],
    },
    { app_id: 'wxaaaaaaaaaaaaaaa2', app_secret: `\${SECRET_B}`, channel: 'official', reminder },
  ]
  const env = { ACCOUNTS_FILE: file({ accounts }), SECRET_A: 'a'.repeat(32), SECRET_B: 'b'.repeat(32) }
  const { get } = await sandbox([], env)
  const { access_token: a } = await get(tokenOf('wxaaaaaaaaaaaaaaa1', env.SECRET_A))
  const { access_token: b } = await get(tokenOf('wxaaaaaaaaaaaaaaa2', env.SECRET_B))
  const { data } = await get(`/wxaapi/newtmpl/gettemplate?access_token=${a}`)
  expect(data).toMatchObject([
    { priTmplId: 't-other', content: '' },
    { priTmplId: 't-reminder', content: 'thing1:{{thing1.DATA}}\ndate2:{{date2.DATA}}\n' },
  ])
  expect(await get(`/cgi-bin/template/get_all_private_template?access_token=${b}`)).toMatchObject({
    template_list: [{ template_id: 't-reminder' }],
  })
})

test('a file that is wrong is named, and nothing starts', async () => {
  const command = startCommand(['sandbox', '--port', '0', '--accounts', file({ accounts: [{}] })], {})
  expect(await command.ended).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/accounts\.json: \/accounts\/0 must have required properties app_id/),
  })
})

test('with --any-login-code it takes every code, each as another person or all as one', async () => {
  const each = await sandbox(['--any-login-code'])
  const [first, second] = [await each.get(login('code-1')), await each.get(login('code-2'))]
  expect(first.openid).toMatch(/^o[\w-]{27}$/)
  expect(second.openid).not.toBe(first.openid)
  const one = await sandbox(['--any-login-code', 'oDeveloper'])
  expect([await one.get(login('code-1')), await one.get(login('code-2'))]).toMatchObject([
    { openid: 'oDeveloper' },
    { openid: 'oDeveloper' },
  ])
  const strict = await sandbox([])
  expect(await strict.get(login('code-1'))).toMatchObject({ errcode: 40029 })
})
