import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createProgram, run } from '../../src/cli/run.js'
import { execute } from '../../src/db/sql.js'
import { NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'

const ACCOUNTS = {
  accounts: ['wxAlpha', 'wxBeta'].map((app_id) => ({
    app_id,
    app_secret: `secret-of-${app_id}-0001`,
    reminder: { template_id: 'template-1', data: { thing1: '每日签到' } },
  })),
}

describe.each(dialects)('with several accounts on %s', (dialect) => {
  const { db, url } = useDatabase(dialect)
  const file = join(mkdtempSync(join(tmpdir(), 'accounts-')), 'accounts.json')
  writeFileSync(file, JSON.stringify(ACCOUNTS), { mode: 0o600 })

  async function command(...words: string[]): Promise<{ code: number; answer: unknown; stdout: string }> {
    let stdout = ''
    const streams = {
      stdout: {
        write: (text: string) => {
          stdout += text
        },
      },
      stderr: { write: () => {} },
    }
    const env = {
      DATABASE_URL: url,
      ACCOUNTS_FILE: file,
      LOG_LEVEL: 'silent',
      WX_API_BASE_URL: 'http://127.0.0.1:1',
    }
    const code = await run(['node', 'cli', ...words, '--json'], env, streams)
    return { code, stdout, answer: JSON.parse(stdout) }
  }

  const permit = (appId: string, userId: number) =>
    execute(
      db,
      `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
       VALUES (?, 'oOne', ?, 'F', ?, ?, ?)`,
      [appId, userId, NOW, NOW, NOW],
    )

  test.each([
    ['status'],
    ['plan'],
    ['remind'],
    ['recover'],
    ['forecast'],
    ['bridge'],
    ['summarize'],
    ['preview'],
    ['explain', '7'],
    ['messages'],
    ['requeue', '--all'],
    ['webhooks'],
    ['send-test', '--to', 'oOne'],
    ['bring-back', '--user', '7'],
    ['restored', '--since', '2026-11-20 09:00'],
  ])('%s names the accounts to choose from', async (...words) => {
    expect(await command(...words)).toMatchObject({
      code: 1,
      answer: {
        error: { code: 'invalid_request', message: expect.stringMatching(/--app-id: wxAlpha, wxBeta/) },
      },
    })
    expect(await command(...words, '--app-id', 'wxGamma')).toMatchObject({
      code: 1,
      answer: { error: { code: 'unknown_account', message: expect.stringContaining('wxGamma') } },
    })
  })

  test.each([['status'], ['plan'], ['forecast'], ['explain', '7']])(
    '%s works for the one that is named',
    async (...words) => {
      expect((await command(...words, '--app-id', 'wxBeta')).code).toBe(0)
    },
  )

  test('every command takes an account, but for those that know none', () => {
    const end = async () => {}
    const { commands } = createProgram({ env: {}, streams: process, stop: new AbortController().signal, end })
    const without = commands.filter(({ options }) => !options.some(({ long }) => long === '--app-id'))
    const names = without.map((one) => one.name())
    expect(names.sort()).toEqual(['demo', 'hash-key', 'hash-password', 'sandbox', 'serve'])
  })

  test('the audit is of the account that is named, or of all', async () => {
    await permit('wxGone', 8)
    expect(await command('audit')).toMatchObject({ code: 3, answer: { ok: false } })
    expect(await command('audit', '--app-id', 'wxBeta')).toMatchObject({ code: 0, answer: { ok: true } })
    // It was taken out of the file, and has its rows still.
    expect(await command('audit', '--app-id', 'wxGone', '--fix')).toMatchObject({
      code: 0,
      answer: { fixed: 1 },
    })
    expect(await command('audit')).toMatchObject({ code: 0 })
  })

  test.each(['audit', 'expire', 'doctor'])('%s refuses an account that nobody knows', async (name) => {
    expect(await command(name, '--app-id', 'wxTypo')).toMatchObject({
      code: 1,
      answer: { error: { code: 'unknown_account', message: expect.stringContaining('wxAlpha, wxBeta') } },
    })
  })

  test('the sweep is of the account that is named, or of all', async () => {
    for (const appId of ['wxAlpha', 'wxBeta'])
      await execute(
        db,
        `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
         VALUES (?, 7, 1, 0, ?, ?)`,
        [appId, NOW, NOW],
      ).then(() => permit(appId, 7))
    expect((await command('expire', '--app-id', 'wxAlpha')).answer).toEqual({ expired: 1, users: 1 })
    expect((await command('expire')).answer).toEqual({ expired: 1, users: 1 })
  })

  test('doctor examines all, and says once what is so for all', async () => {
    const { answer } = await command('doctor')
    const { checks } = answer as { checks: { app_id?: string; name: string }[] }
    expect(checks.filter(({ name }) => name === 'database')).toHaveLength(1)
    const tokens = checks.filter(({ name }) => name === 'token').map(({ app_id }) => app_id ?? 'all')
    expect(tokens.length).toBeGreaterThan(0)
    const one = (await command('doctor', '--app-id', 'wxBeta')).answer as { checks: object[] }
    expect(one.checks.every((check) => !('app_id' in check))).toBe(true)
  })
})
