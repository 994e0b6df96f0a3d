import { describe, expect, test } from 'vitest'
import { createBrake } from '../../src/messages/brake.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { judge, MAX_ATTEMPTS } from '../../src/messages/verdict.js'
import type { SendResult } from '../../src/wechat/client.js'
import { ACCEPTED, CUT, held, REFUSED_CONNECTION, refusal } from '../helpers/answers.js'
import { NOW } from '../helpers/constants.js'

describe('form_ids that are wrong', () => {
  test('halt the run when a hundred in a row are, whatever is normal for the account', () => {
    const { brake, hear } = brakeAfter(...times(99, refusal(41028)))
    expect(brake.halt).toBeUndefined()
    expect(hear(refusal(41028))).toMatchObject({
      state: 'halted',
      reason: { cause: 'refusals', errcode: 41028 },
    })
    expect(brake.halt?.reason.en).toMatch(/^The last 100 form_ids were refused: 41028 /)
    expect(brake.halt?.reason.zh).toMatch(/^最近 100 个 form_id 全部被拒：41028 /)
  })

  test('are passed over while any other answer comes between them', () => {
    for (const other of [ACCEPTED, refusal(43101), refusal(41029)])
      expect(brakeAfter(...times(3, [...times(99, refusal(41028)), other]).flat()).brake.halt).toBeUndefined()
  })

  test('were used in another service, and may be any number', () => {
    expect(brakeAfter(...times(1_000, refusal(41029))).brake.halt).toBeUndefined()
  })
})

/** A brake that hears answers, each judged as a run would. */
function brakeAfter(...answers: SendResult[]) {
  const brake = createBrake()
  const hear = (answer: SendResult, changes: Partial<HeldMessage> = {}, othersUnderWay = 0) => {
    const message = held(changes)
    brake.observe(answer, judge(message, answer, 0, NOW), message)
    if (othersUnderWay === 0) brake.drained()
    return brake.halt
  }
  for (const answer of answers) hear(answer)
  return { brake, hear }
}

const times = <T>(count: number, value: T): T[] => Array<T>(count).fill(value)

describe('a configuration code', () => {
  test('halts as the first answer, and says what to do', () => {
    const { brake } = brakeAfter(refusal(40037))
    expect(brake.halt?.state).toBe('halted')
    expect(brake.halt?.reason).toMatchObject({ cause: 'configuration', errcode: 40037 })
    expect(brake.halt?.reason.en).toContain('40037')
    expect(brake.halt?.reason.en).toContain('REMINDER_TEMPLATE_ID')
    expect(brake.halt?.reason.zh).toContain('检查 REMINDER_TEMPLATE_ID')
  })

  test('halts as long as nothing was accepted, whatever else was answered', () => {
    const { hear } = brakeAfter(refusal(-1), CUT, refusal(41028))
    expect(hear(refusal(47003))?.state).toBe('halted')
  })

  test('a configuration code after a delivery halts only when it comes five times in a row', () => {
    const { brake, hear } = brakeAfter(ACCEPTED, ...times(4, refusal(40037)))
    expect(brake.halt).toBeUndefined()
    expect(hear(refusal(41030))?.state).toBe('halted')
  })

  test('a configuration code that comes and goes does not halt', () => {
    const { brake } = brakeAfter(...times(20, [ACCEPTED, ...times(4, refusal(40037))]).flat())
    expect(brake.halt).toBeUndefined()
  })

  test('a configuration code is not forgotten over a retry in between', () => {
    const { hear } = brakeAfter(ACCEPTED, ...times(4, refusal(40037)), refusal(45011))
    expect(hear(refusal(40037))?.state).toBe('halted')
  })

  test('counts for messages too that may have been sent', () => {
    const { hear } = brakeAfter()
    expect(hear(refusal(40125), { maybeSent: true })?.state).toBe('halted')
  })
})

test('41029 after a cut answer counts as a delivery', () => {
  const { hear } = brakeAfter()
  hear(refusal(41029), { maybeSent: true })
  expect(hear(refusal(40037))).toBeUndefined()
})

test('a token that stays refused is a configuration fault', () => {
  expect(brakeAfter(refusal(40001)).brake.halt?.state).toBe('halted')
})

test('a spent quota pauses at once, even after deliveries', () => {
  const { brake } = brakeAfter(ACCEPTED, refusal(45009))
  expect(brake.halt).toMatchObject({
    state: 'paused',
    reason: { cause: 'quota', en: expect.stringContaining('45009'), errcode: 45009 },
  })
})

describe('a code that nobody knows', () => {
  test('halts when it comes five times in a row', () => {
    const { brake, hear } = brakeAfter(ACCEPTED, ...times(4, refusal(99_999)))
    expect(brake.halt).toBeUndefined()
    expect(hear(refusal(99_998))).toMatchObject({
      state: 'halted',
      reason: { cause: 'unknown', en: expect.stringContaining('99998') },
    })
  })

  test('a code that nobody knows is counted anew after any verdict of another kind', () => {
    for (const other of [ACCEPTED, refusal(43101), refusal(41028)]) {
      const { hear } = brakeAfter(ACCEPTED, ...times(4, refusal(99_999)), other)
      expect(hear(refusal(99_999))).toBeUndefined()
    }
  })

  test('a code that nobody knows does not add up with configuration codes', () => {
    const { brake } = brakeAfter(ACCEPTED, ...times(10, [refusal(99_999), refusal(40037)]).flat())
    expect(brake.halt).toBeUndefined()
  })
})

describe('an outage', () => {
  const last = { attempts: MAX_ATTEMPTS - 1 }

  test('pauses when five messages in a row have used up their attempts, and will pass', () => {
    const { brake, hear } = brakeAfter(ACCEPTED)
    for (let i = 0; i < 4; i++) hear(REFUSED_CONNECTION, last)
    expect(brake.halt).toBeUndefined()
    expect(hear(CUT, last)).toMatchObject({
      state: 'paused',
      passing: true,
      reason: { cause: 'outage', en: expect.stringContaining('connection_lost') },
    })
  })

  const subscribe = { channel: 'subscribe' } as const

  test('pauses at the first message lost for good as long as WeChat has judged none', () => {
    expect(brakeAfter().hear(CUT, subscribe)).toMatchObject({ state: 'paused', passing: true })
  })

  test('pauses at two messages lost for good with none under way that could still be judged', () => {
    const { brake, hear } = brakeAfter(ACCEPTED)
    expect(hear(CUT, subscribe)).toBeUndefined()
    expect(brake.doubts).toBe(1)
    expect(hear(CUT, subscribe, 1)).toBeUndefined()
    expect(brake.doubts).toBe(2)
    expect(hear(refusal(-1), subscribe)).toMatchObject({ state: 'paused', passing: true })
  })

  test('forgets its doubts when WeChat judges a message, and not when it is busy', () => {
    for (const [answer, doubts] of [
      [ACCEPTED, 0],
      [refusal(43101), 0],
      [refusal(-1), 2],
      [REFUSED_CONNECTION, 2],
    ] as const) {
      const { brake, hear } = brakeAfter(ACCEPTED)
      for (let i = 0; i < 2; i++) hear(CUT, subscribe, 2)
      hear(answer, subscribe, 1)
      expect(brake.doubts).toBe(doubts)
    }
  })

  test('an outage does not hold back what can be asked about again', () => {
    const { brake, hear } = brakeAfter(ACCEPTED)
    hear(CUT)
    expect(brake).toMatchObject({ doubts: 0, halt: undefined })
  })

  test('an outage is no answer; whatever judges a message is one', () => {
    expect(brakeAfter(CUT, REFUSED_CONNECTION, refusal(-1), refusal(503)).brake.answered).toBe(false)
    for (const answer of [ACCEPTED, refusal(43101), refusal(41028), refusal(99_999), refusal(40037)]) {
      expect(brakeAfter(CUT, answer).brake.answered).toBe(true)
    }
  })

  test('an outage is not what a message in doubt meets that WeChat refuses', () => {
    const { brake } = brakeAfter(ACCEPTED)
    for (let i = 0; i < 20; i++) {
      const doubt = held({ maybeSent: true })
      for (const answer of [refusal(41028), refusal(43101), ACCEPTED]) {
        brake.observe(answer, judge(doubt, answer, 0, NOW), doubt)
      }
    }
    expect(brake.halt).toBeUndefined()
  })

  test('an outage does not halt as long as there are attempts left', () => {
    expect(brakeAfter(...times(1_000, REFUSED_CONNECTION)).brake.halt).toBeUndefined()
  })

  test('an outage is over with the first delivery', () => {
    const { hear } = brakeAfter()
    for (let i = 0; i < 20; i++) {
      for (let k = 0; k < 4; k++) expect(hear(refusal(-1), last)).toBeUndefined()
      hear(ACCEPTED)
    }
  })
})

test('some people who cannot be reached halt nothing', () => {
  const { brake } = brakeAfter(...times(50, [refusal(43101), ACCEPTED, refusal(40003), ACCEPTED]).flat())
  expect(brake.halt).toBeUndefined()
})

test('the first reason to halt is the one that stays', () => {
  const { brake, hear } = brakeAfter(refusal(40037))
  const { halt } = brake
  hear(ACCEPTED)
  hear(refusal(45009))
  expect(brake.halt).toBe(halt)
})

describe('a rise of refusals by users', () => {
  const half = times(50, [ACCEPTED, refusal(43101)]).flat()

  test('halts when most of the last hundred were refused', () => {
    const { brake, hear } = brakeAfter(...half)
    expect(brake.halt).toBeUndefined()
    hear(refusal(43101))
    expect(hear(refusal(43101))?.state).toBe('halted')
    expect(brake.halt?.reason).toMatchObject({ cause: 'refusals', errcode: 43101 })
    expect(brake.halt?.reason.zh).toContain('43101')
  })

  test('a rise of refusals by users is not seen in fewer answers than a hundred', () => {
    expect(brakeAfter(...times(99, refusal(40003))).brake.halt).toBeUndefined()
    expect(brakeAfter(...times(100, refusal(40003))).brake.halt?.state).toBe('halted')
  })

  test('a rise of refusals by users is measured by what is normal for the account', () => {
    const brake = createBrake(0.4)
    const most = [...times(25, ACCEPTED), ...times(75, refusal(43101))]
    for (const answer of most) brake.observe(answer, judge(held({}), answer, 0, NOW), held({}))
    expect(brake.halt).toBeUndefined()
  })
})
