import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { html } from '../../src/dashboard/html.js'
import { createLive, type Drawn } from '../../src/dashboard/live.js'
import { createOperatorRuns } from '../../src/dashboard/operator-runs.js'
import { createPasswordCheck } from '../../src/dashboard/password.js'
import type { Language } from '../../src/dashboard/preferences.js'
import { createScribes } from '../../src/dashboard/reader.js'
import { answerOf } from '../../src/dashboard/today.js'
import { createLogger } from '../../src/lib/logger.js'
import { hashPassword, parsePasswordHash } from '../../src/lib/password-hash.js'
import type { RunStatus } from '../../src/reminders/status.js'
import { emptySummary } from '../../src/reminders/summary.js'
import { NOW, TODAY } from '../helpers/constants.js'

const silent = createLogger({ level: 'silent', secrets: [], output: { write: () => {} } })

describe('markup', () => {
  test('is what a template says; everything that is put in is escaped', () => {
    const evil = `"'<b>&=`
    expect(
      html`<p title="${evil}">${[html`<i>${evil}</i>`, 1n, null, false, undefined]}!${evil}</p>`.toString(),
    ).toBe(
      '<p title="&#34;&#39;&#60;b&#62;&#38;&#61;"><i>&#34;&#39;&#60;b&#62;&#38;&#61;</i>1!&#34;&#39;&#60;b&#62;&#38;&#61;</p>',
    )
  })
})

describe('the answer to "did it go well?"', () => {
  const account = readAccount({ WX_APP_ID: 'wxA', REMINDER_TEMPLATE_ID: 't' })
  const { en, zh } = createScribes(account, '/dashboard')
  const status = (changes: Partial<RunStatus>): RunStatus => ({
    ...emptySummary(TODAY),
    next_firing_at: null,
    progress: null,
    rate_per_second: null,
    expected_finish_at: null,
    expected_end: null,
    quota: null,
    open: null,
    run_id: 1,
    ...changes,
  })
  const ask = (changes: Partial<RunStatus>, scribe = en) => {
    const { tone, sentence } = answerOf(scribe, {
      date: TODAY,
      now: NOW,
      closesAt: NOW,
      status: status(changes),
    })
    return [tone, sentence]
  }

  test.each<[Partial<RunStatus>, string, string]>([
    [{ state: 'done', due: 0 }, 'good', 'Yes. Nobody was left to be reminded.'],
    [
      { state: 'done', due: 1200, delivered: 1200 },
      'good',
      'Yes. All 1,200 users who were due were reminded.',
    ],
    [
      { state: 'done', due: 1200, delivered: 1195, failed: 5 },
      'good',
      'Yes. 1,195 of 1,200 users were reminded.',
    ],
    [
      { state: 'done', due: 1200, delivered: 600, failed: 600 },
      'warn',
      'Not quite. 600 of 1,200 users were reminded.',
    ],
    [{ state: 'halted', delivered: 3 }, 'bad', 'No. The run stopped after 3 reminders.'],
    [{ state: 'missed' }, 'bad', 'No. Nobody was reminded today.'],
    [
      { state: 'running', claimed: 5, planned: 50, delivered: 2, in_hand: 3 },
      'info',
      'Under way: 2 of 50 users reached.',
    ],
    [{ state: 'running' }, 'info', 'Under way: the first reminder is on its way.'],
    [
      { state: 'running', reason: 'WeChat is away' },
      'warn',
      'WeChat takes no messages just now. The run goes on by itself.',
    ],
    [
      { state: 'window_closed', delivered: 9 },
      'warn',
      'Not quite. The sending window closed after 9 reminders.',
    ],
    [
      { state: 'not_started', next_firing_at: '2026-11-20T03:30:00.000Z' },
      'quiet',
      "Today's reminders go out at 11:30.",
    ],
    [
      { state: 'not_started', remedy: 'Start serve' },
      'warn',
      "Today's run is due, and nobody has started it yet.",
    ],
    [{ state: 'not_started' }, 'quiet', 'No reminder is planned for today.'],
  ])('%j', (changes, tone, sentence) => {
    expect(ask(changes)).toEqual([tone, sentence])
  })

  test('is given in Chinese as well', () => {
    expect(ask({ state: 'done', due: 1200, delivered: 1200 }, zh)[1]).toBe(
      '顺利。应提醒的 1,200 人全部提醒成功。',
    )
  })
})

describe('live streams', () => {
  const drawn = (state: string): Record<Language, Drawn> => ({
    en: { state, parts: { answer: state } },
    zh: { state, parts: { answer: state } },
  })

  test('share one poll, end at the stop, and leave nothing behind', async () => {
    let polls = 0
    const live = createLive({
      draw: async () => drawn(String(++polls > 3)),
      appId: 'wxA',
      log: silent,
      now: () => 0,
      pollMs: 5,
    })
    const streams = [live.open('en', 1), live.open('zh', 1), live.open('en', 1)]
    const heard = streams.map(async (stream) => {
      let text = ''
      for await (const chunk of stream) text += String(chunk)
      return text
    })
    while (polls < 8) await sleep(5)
    live.close()
    for (const text of await Promise.all(heard)) expect(text.match(/event: status/g)).toHaveLength(2)
    const before = polls
    await sleep(30)
    expect(polls - before).toBeLessThan(2)
  })

  test('outlive a database that is away for a while', async () => {
    let polls = 0
    const live = createLive({
      draw: async () => {
        if (++polls < 3) throw new Error('away')
        return drawn('back')
      },
      appId: 'wxA',
      log: silent,
      now: () => 0,
      pollMs: 5,
    })
    for await (const chunk of live.open('en', 1)) if (String(chunk).includes('back')) break
    live.close()
  })
})

test('runs of operators are one at a time, and none begins once the service stops', async () => {
  let aborted = false
  const runs = createOperatorRuns({
    run: (_, signal) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          aborted = true
          resolve(undefined)
        }),
      ),
    assertClock: async () => {},
    appId: 'wxA',
    log: silent,
  })
  expect(await runs.start({})).toBe('begun')
  expect(await runs.start({})).toBe('busy')
  await runs.stop()
  expect(aborted).toBe(true)
  await expect(runs.start({})).rejects.toThrow(/being stopped/)
})

describe('the password', () => {
  test('is checked by its hash, two at a time, and too many are sent away', { tags: ['long'] }, async () => {
    const isRight = createPasswordCheck(await hashPassword('of-the-operators'))
    const attempts = Array.from({ length: 30 }, (_, i) =>
      isRight(i === 0 ? 'of-the-operators' : `wrong ${i}`),
    )
    const ended = await Promise.allSettled(attempts)
    expect(ended[0]).toEqual({ status: 'fulfilled', value: true })
    const refused = ended.filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(8)
    expect(ended.filter((one) => one.status === 'fulfilled' && one.value)).toHaveLength(1)
    expect(await isRight('of-the-operators')).toBe(true)
  })

  test.each([
    'scrypt$16384$8$1$c2FsdA$aGFzaA',
    'scrypt$1048576$8$1$c2FsdHNhbHRzYWx0c2FsdA$n0bmhKRPXU8SYUBWEPdgEGBSyEqNvZvlwL8VyLcvBSk',
    'scrypt$16385$8$1$c2FsdHNhbHRzYWx0c2FsdA$n0bmhKRPXU8SYUBWEPdgEGBSyEqNvZvlwL8VyLcvBSk',
    'scrypt$',
  ])('is refused as a hash where it would not protect, or exhaust the machine: %s', (text) => {
    expect(() => parsePasswordHash(text)).toThrow(/hash-password/)
  })
})
