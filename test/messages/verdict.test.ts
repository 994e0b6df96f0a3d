import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Channel } from '../../src/channel.js'
import type { HeldMessage } from '../../src/messages/message.js'
import {
  CLIENT_MSG_ID_MS,
  canRepeat,
  judge,
  LAST_CHANCE_MS,
  MAX_ATTEMPTS,
  MAX_ATTEMPTS_IN_DOUBT,
  type Verdict,
} from '../../src/messages/verdict.js'
import type { SendResult } from '../../src/wechat/client.js'
import { ERRCODES } from '../../src/wechat/errcodes.js'
import { ACCEPTED, CUT, held, REFUSED_CONNECTION, refusal } from '../helpers/answers.js'
import { MINUTE_MS, NOW, SECOND_MS } from '../helpers/constants.js'

const CHANNELS: Channel[] = ['form_id', 'subscribe', 'official']
const LAST = MAX_ATTEMPTS - 1

/**
 * `retry` keeps what was known of an earlier attempt; `retry?` says from now on that it may have been sent; `ask_on` is a
 * `retry?` after a long pause where the channel can be asked again, and `unknown` where it cannot.
 */
type Expected = Exclude<Verdict['kind'], 'retry'> | 'retry' | 'retry?' | 'ask_on'

interface Row {
  answer: string
  result: SendResult
  /** Nothing can have arrived so far; and the same at the last attempt. */
  first: Expected
  last: Expected
  /** An earlier attempt may have arrived; and the same at the last attempt. */
  doubtful: Expected
  doubtfulLast: Expected
  channels?: Channel[]
}

const always = (kind: Expected) => ({ first: kind, last: kind, doubtful: kind, doubtfulLast: kind })

const inDoubt = (kind: Expected) => ({ doubtful: kind, doubtfulLast: kind })

const TABLE: Row[] = [
  { answer: 'accepted', result: ACCEPTED, ...always('delivered') },
  { answer: 'ok in an errcode', result: refusal(0), ...always('delivered') },
  { answer: 'duplicate 40241', result: refusal(40241), ...always('delivered') },
  {
    answer: 'refused connection',
    result: REFUSED_CONNECTION,
    first: 'retry',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'no token to be had',
    result: { kind: 'unreachable', reason: 'token' },
    first: 'retry',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'cut line',
    result: CUT,
    channels: ['form_id', 'official'],
    first: 'retry?',
    last: 'ask_on',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  { answer: 'cut line', result: CUT, channels: ['subscribe'], ...always('unknown') },
  {
    answer: 'transient 45011',
    result: refusal(45011),
    first: 'retry',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'transient -1, which may hide a message that went out',
    result: refusal(-1),
    channels: ['form_id'],
    first: 'retry?',
    last: 'ask_on',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'transient -1, taken at its word where nothing could resolve a doubt',
    result: refusal(-1),
    channels: ['subscribe', 'official'],
    first: 'retry',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'transient HTTP 503',
    result: refusal(503),
    channels: ['form_id'],
    first: 'retry?',
    last: 'ask_on',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'transient HTTP 503, taken at its word where nothing could resolve a doubt',
    result: refusal(503),
    channels: ['subscribe', 'official'],
    first: 'retry',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'configuration HTTP 404, by something in front of WeChat',
    result: refusal(404),
    channels: ['form_id'],
    first: 'retry?',
    last: 'ask_on',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'configuration HTTP 404, taken at its word where nothing could resolve a doubt',
    result: refusal(404),
    channels: ['subscribe', 'official'],
    first: 'give_back',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'dead permit 41028',
    result: refusal(41028),
    channels: ['subscribe', 'official'],
    ...always('failed'),
  },
  {
    answer: 'dead permit 41028',
    result: refusal(41028),
    channels: ['form_id'],
    first: 'next_permit',
    last: 'next_permit',
    doubtful: 'unknown',
    doubtfulLast: 'unknown',
  },
  {
    answer: 'dead permit 41029',
    result: refusal(41029),
    channels: ['form_id'],
    first: 'next_permit',
    last: 'next_permit',
    doubtful: 'delivered',
    doubtfulLast: 'delivered',
  },
  {
    answer: 'limit of a person 43117',
    result: refusal(43117),
    channels: ['form_id'],
    first: 'retry',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'limit of a person 43117, which outlasts a client_msg_id',
    result: refusal(43117),
    channels: ['subscribe', 'official'],
    first: 'retry',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'unknown',
  },
  { answer: 'user 43101', result: refusal(43101), ...always('failed'), ...inDoubt('unknown') },
  { answer: 'user 40003', result: refusal(40003), ...always('failed'), ...inDoubt('unknown') },
  { answer: 'a code in no table', result: refusal(99_999), ...always('failed'), ...inDoubt('unknown') },
  {
    answer: 'configuration 40037',
    result: refusal(40037),
    first: 'give_back',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'token 40001',
    result: refusal(40001),
    first: 'give_back',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
  {
    answer: 'quota 45009',
    result: refusal(45009),
    first: 'give_back',
    last: 'give_back',
    doubtful: 'retry?',
    doubtfulLast: 'ask_on',
  },
]

const CASES = TABLE.flatMap((row) =>
  (row.channels ?? CHANNELS).map((channel) => ({ ...row, title: `${row.answer} on ${channel}`, channel })),
)

describe('the verdict on one attempt', () => {
  test.each(CASES)('$title', ({ result, channel, first, last, doubtful, doubtfulLast }) => {
    const verdict = (attempts: number, maybeSent: boolean): Expected => {
      const { kind, ...more } = judge(held({ channel, attempts, maybeSent }), result, 0, NOW)
      if (kind !== 'retry') return kind
      if ('exhausted' in more) return 'ask_on'
      return 'maybeSent' in more && more.maybeSent ? 'retry?' : 'retry'
    }
    for (const attempts of [0, 1, LAST - 1]) {
      expect(verdict(attempts, false)).toBe(first)
      expect(verdict(attempts, true)).toBe(doubtful)
    }
    const atLast = (kind: Expected) => (kind === 'ask_on' && channel === 'subscribe' ? 'unknown' : kind)
    expect(verdict(LAST, false)).toBe(atLast(last))
    expect(verdict(LAST, true)).toBe(atLast(doubtfulLast))
  })

  test('the verdict on one attempt has a row for every class of code', () => {
    const judged = new Set(
      TABLE.flatMap(({ result }) => (result.kind === 'refused' ? [result.entry.class] : [])),
    )
    expect([...new Set(ERRCODES.map((entry) => entry.class))].filter((each) => !judged.has(each))).toEqual([])
  })

  test.each([
    [43101, 'opt_out'],
    [43004, 'block'],
    [43019, 'block'],
    [48002, 'block'],
    [40003, undefined],
  ])('%i records the stop %s', (errcode, stops) => {
    expect(judge(held(), refusal(errcode), 0, NOW)).toEqual(
      stops ? { kind: 'failed', stops } : { kind: 'failed' },
    )
    // The person is stopped too when an earlier attempt may have arrived.
    expect(judge(held({ maybeSent: true }), refusal(errcode), 0, NOW)).toEqual(
      stops ? { kind: 'unknown', stops } : { kind: 'unknown' },
    )
  })

  test('a limit that moves on by the minute is not asked again before the minute is over', () => {
    expect(judge(held(), refusal(45011), 0, NOW)).toMatchObject({ kind: 'retry', afterMs: 60_000 })
    expect(judge(held(), refusal(43108), 0, NOW)).toMatchObject({ kind: 'retry', afterMs: 2_000 })
  })

  test('a doubt is asked about every five to ten minutes, on the official channel while its key holds', () => {
    const doubt = { attempts: 50, maybeSent: true }
    expect(judge(held(doubt), CUT, 0, NOW)).toMatchObject({ kind: 'retry', afterMs: 5 * MINUTE_MS })
    expect(judge(held(doubt), CUT, 0.99, NOW + 11 * 60 * MINUTE_MS)).toMatchObject({
      kind: 'retry',
      afterMs: 597_000,
    })
    const official = held({ ...doubt, channel: 'official' })
    expect(judge(official, CUT, 0, NOW + 3 * MINUTE_MS)).toMatchObject({ kind: 'retry' })
    const lastChance = { kind: 'retry', afterMs: CLIENT_MSG_ID_MS - LAST_CHANCE_MS - 7 * MINUTE_MS }
    expect(judge(official, CUT, 0, NOW + 7 * MINUTE_MS)).toMatchObject(lastChance)
    expect(judge(official, CUT, 0, NOW + CLIENT_MSG_ID_MS - LAST_CHANCE_MS)).toEqual({ kind: 'unknown' })
  })

  test('luck decides within the cap of the attempt', () => {
    expect(judge(held({ attempts: 2 }), CUT, 0.5, NOW)).toMatchObject({ kind: 'retry', afterMs: 2_000 })
  })
})

describe('whatever WeChat answers', () => {
  const results: SendResult[] = [
    ACCEPTED,
    CUT,
    REFUSED_CONNECTION,
    { kind: 'ambiguous', reason: 'http_502' },
    ...[404, 302, 429, 503, 99_999].map(refusal),
    ...ERRCODES.map(({ errcode }) => refusal(errcode)),
  ]
  const anyCase = fc.record({
    result: fc.constantFrom(...results),
    channel: fc.constantFrom(...CHANNELS),
    attempts: fc.nat({ max: 20 }),
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  })

  test('a message that may have been sent is never given back and never gets another permit', () => {
    fc.assert(
      fc.property(anyCase, ({ result, channel, attempts, random }) => {
        const verdict = judge(held({ channel, attempts, maybeSent: true }), result, random, NOW)
        expect(verdict.kind).not.toBe('give_back')
        expect(verdict.kind).not.toBe('next_permit')
      }),
      { numRuns: 2_000 },
    )
  })

  test('a doubt, once there, stays with every retry', () => {
    fc.assert(
      fc.property(anyCase, ({ result, channel, attempts, random }) => {
        const verdict = judge(held({ channel, attempts, maybeSent: true }), result, random, NOW)
        if (verdict.kind === 'retry') expect(verdict.maybeSent).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('retries come to an end', () => {
    fc.assert(
      fc.property(anyCase, fc.boolean(), ({ result, channel, random }, maybeSent) => {
        const verdict = judge(
          held({ channel, attempts: MAX_ATTEMPTS_IN_DOUBT - 1, maybeSent }),
          result,
          random,
          NOW,
        )
        expect(verdict.kind).not.toBe('retry')
      }),
      { numRuns: 2_000 },
    )
  })

  test.each<[string, Partial<HeldMessage>]>([
    ['a subscribe message', { channel: 'subscribe', permitSource: 'subscribe' }],
    ['a form_id message on a payment, whose prepay_id has more uses', { permitSource: 'pay' }],
    ['a form_id message whose permit is gone', { permitSource: null }],
    [
      'a message of a service account after its ten minutes',
      { channel: 'official', createdAt: NOW - CLIENT_MSG_ID_MS },
    ],
  ])('%s is never sent again after a broken attempt', (_, kind) => {
    for (let attempts = 0; attempts <= MAX_ATTEMPTS; attempts++) {
      expect(judge(held({ ...kind, attempts }), CUT, 0, NOW)).toEqual({ kind: 'unknown' })
    }
  })

  test('a form_id can be sent again at any time, a client_msg_id for ten minutes less a request', () => {
    expect(canRepeat(held({ channel: 'form_id' }), NOW + 24 * 60 * MINUTE_MS)).toBe(true)
    const official = held({ channel: 'official' })
    expect(canRepeat(official, NOW + 10 * MINUTE_MS - 20 * SECOND_MS - 1)).toBe(true)
    expect(canRepeat(official, NOW + 10 * MINUTE_MS - 20 * SECOND_MS)).toBe(false)
  })
})
