import { describe, expect, it } from 'vitest'
import type { FaultSpec } from '../../src/sandbox/faults.js'
import { HUGE_BODY_BYTES } from '../../src/sandbox/play-fault.js'
import { OPEN_ID, setup } from './helpers.js'

const SEND = '/cgi-bin/message/wxopen/template/send'

/** A sandbox with these faults on the sends alone, and a form_id to send with. */
async function withFaults(...faults: FaultSpec[]) {
  const world = await setup()
  for (const fault of faults) world.control.addFault({ ...fault, match: { path: SEND, ...fault.match } })
  const form_id = world.control.issueFormId({ openId: OPEN_ID })
  const sendAgain = () => world.send({ form_id })
  const answered = () => world.control.ledger().map((delivery) => delivery.answered)
  return { ...world, form_id, sendAgain, answered }
}

describe('a fault that keeps the client from an answer', () => {
  it('cut_before closes the connection and delivers nothing', async () => {
    const { sendAgain, answered } = await withFaults({ kind: 'cut_before', times: 1 })
    await expect(sendAgain()).rejects.toThrow('fetch failed')
    expect(answered()).toEqual([])
    expect((await sendAgain()).json.errcode).toBe(0)
    expect(answered()).toEqual([true])
  })

  it('cut_after delivers, then closes the connection: a retry is told 41029', async () => {
    const { sendAgain, answered, control } = await withFaults({ kind: 'cut_after', times: 1 })
    await expect(sendAgain()).rejects.toThrow('fetch failed')
    expect(answered()).toEqual([false])
    expect((await sendAgain()).json.errcode).toBe(41029)
    expect(control.stats().answers[SEND]).toEqual({ cut_after: 1, 41029: 1 })
  })

  it.each([
    ['before', []],
    ['after', [false]],
  ] as const)('hang keeps silent until the client leaves, %s the effect', async (effect, deliveries) => {
    const { send, message, control, answered, newToken } = await withFaults({ kind: 'hang', effect })
    const token = await newToken()
    const leaving = new AbortController()
    const waiting = send(message(), { signal: leaving.signal, token })
    await until(() => control.stats().answers[SEND]?.hang === 1)
    expect(control.stats().in_flight).toBe(1)
    leaving.abort()
    await expect(waiting).rejects.toThrow('aborted')
    await until(() => control.stats().in_flight === 0)
    expect(answered()).toEqual(deliveries)
  })

  it('hang does not hold up closing the sandbox', async () => {
    const { sendAgain, control, sandbox } = await withFaults({ kind: 'hang' })
    const waiting = expect(sendAgain()).rejects.toThrow('fetch failed')
    await until(() => control.stats().in_flight === 1)
    await sandbox.close()
    await waiting
  })

  it('stall delivers, sends half of the answer, and waits until the client leaves', async () => {
    const { url, form_id, message, newToken, answered } = await withFaults({ kind: 'stall' })
    const leaving = new AbortController()
    const response = await fetch(`${url}${SEND}?access_token=${await newToken()}`, {
      method: 'POST',
      body: JSON.stringify(message({ form_id })),
      signal: leaving.signal,
    })
    const { value } = (await response.body?.getReader().read()) ?? {}
    expect(Buffer.from(value ?? []).toString()).toBe('{"errcode":0,')
    leaving.abort()
    expect(answered()).toEqual([false])
  })

  it('truncated delivers and closes the connection in the middle of the answer', async () => {
    const { sendAgain, answered } = await withFaults({ kind: 'truncated' })
    await expect(sendAgain()).rejects.toThrow('terminated')
    expect(answered()).toEqual([false])
  })
})

describe('a fault that answers something else', () => {
  it('errcode answers -1 and delivers nothing, or any code and text', async () => {
    const { sendAgain, answered } = await withFaults(
      { kind: 'errcode', times: 1 },
      { kind: 'errcode', errcode: 50002, errmsg: 'user limited', times: 1 },
    )
    expect((await sendAgain()).json).toEqual({
      errcode: -1,
      errmsg: expect.stringMatching(/^system error rid: /),
    })
    expect((await sendAgain()).json).toEqual({
      errcode: 50002,
      errmsg: expect.stringMatching(/^user limited rid: /),
    })
    expect(answered()).toEqual([])
  })

  it('errcode with the effect before it is a message delivered and denied', async () => {
    const { sendAgain, answered } = await withFaults({ kind: 'errcode', effect: 'after' })
    expect((await sendAgain()).json.errcode).toBe(-1)
    expect(answered()).toEqual([false])
  })

  it('http_status answers the page of a gateway', async () => {
    const { sendAgain, answered } = await withFaults(
      { kind: 'http_status', times: 1 },
      { kind: 'http_status', status: 504, effect: 'after' },
    )
    expect(await sendAgain()).toMatchObject({ status: 502, contentType: 'text/html' })
    expect(answered()).toEqual([])
    expect((await sendAgain()).status).toBe(504)
    expect(answered()).toEqual([false])
  })

  it('garbage delivers and answers no JSON', async () => {
    const { sendAgain, answered } = await withFaults({ kind: 'garbage' })
    const { status, text } = await sendAgain()
    expect(status).toBe(200)
    expect(() => JSON.parse(text)).toThrow(SyntaxError)
    expect(answered()).toEqual([false])
  })

  it('wrong_content_type delivers and answers right under another type', async () => {
    const { sendAgain, answered } = await withFaults({ kind: 'wrong_content_type' })
    const { contentType, json } = await sendAgain()
    expect(contentType).toBe('text/html; charset=utf-8')
    expect(json.errcode).toBe(0)
    expect(answered()).toEqual([true])
  })

  it('redirect answers 302 to a path whose visits are counted', async () => {
    const { sendAgain, call, answered, control } = await withFaults({ kind: 'redirect' })
    expect((await sendAgain()).status).toBe(302)
    expect(answered()).toEqual([])
    await call('/redirected')
    expect(control.stats().answers.unknown).toEqual({ 404: 1 })
  })

  it('huge_body delivers and answers right in a very long JSON', async () => {
    const { sendAgain, answered } = await withFaults({ kind: 'huge_body' })
    const { text, json } = await sendAgain()
    expect(text.length).toBeGreaterThan(HUGE_BODY_BYTES)
    expect(json.errcode).toBe(0)
    await until(() => answered()[0] === true)
  })

  it('huge_body is no answer to a client that leaves in the middle', async () => {
    const { url, form_id, message, newToken, control, answered } = await withFaults({ kind: 'huge_body' })
    const leaving = new AbortController()
    const response = await fetch(`${url}${SEND}?access_token=${await newToken()}`, {
      method: 'POST',
      body: JSON.stringify(message({ form_id })),
      signal: leaving.signal,
    })
    expect(response.status).toBe(200)
    leaving.abort()
    await until(() => control.stats().in_flight === 0)
    expect(answered()).toEqual([false])
  })

  it('token_dead kills the token for good, and a new one helps', async () => {
    const { send, newToken, sendAgain, answered } = await withFaults({ kind: 'token_dead', times: 1 })
    const token = await newToken()
    expect((await send({}, { token })).json.errcode).toBe(40001)
    expect((await sendAgain()).json.errcode).toBe(40001)
    expect(await newToken()).not.toBe(token)
    expect((await send({}, { token: await newToken() })).json.errcode).toBe(0)
    expect(answered()).toEqual([true])
  })
})

describe('latency', () => {
  it('delays the answer, not the message', async () => {
    const { sendAgain, control, answered } = await withFaults({ kind: 'latency', ms: 1_500 })
    const start = performance.now()
    const waiting = sendAgain()
    await until(() => control.ledger().length === 1)
    expect(answered()).toEqual([false])
    expect((await waiting).json.errcode).toBe(0)
    expect(performance.now() - start).toBeGreaterThanOrEqual(1_400)
    expect(answered()).toEqual([true])
  })

  it('before the effect lets a message take effect after its client has left', async () => {
    const { send, form_id, control, newToken, answered } = await withFaults({
      kind: 'latency',
      ms: 1_500,
      effect: 'before',
    })
    const token = await newToken()
    const leaving = new AbortController()
    const waiting = send({ form_id }, { signal: leaving.signal, token })
    await until(() => control.stats().in_flight === 1)
    expect(answered()).toEqual([])
    leaving.abort()
    await expect(waiting).rejects.toThrow('aborted')
    await until(() => control.ledger().length === 1)
    expect(answered()).toEqual([false])
  })

  it('adds up, and combines with another fault', async () => {
    const { sendAgain } = await withFaults(
      { kind: 'latency', ms: 30 },
      { kind: 'errcode', errcode: 45011 },
      { kind: 'latency', ms: 30, effect: 'before' },
    )
    const start = performance.now()
    expect((await sendAgain()).json.errcode).toBe(45011)
    expect(performance.now() - start).toBeGreaterThanOrEqual(55)
  })
})

describe('the calls under way', () => {
  it('are counted, with the most there were at one time', async () => {
    const { send, control, newToken } = await withFaults({ kind: 'hang' })
    const leaving = new AbortController()
    const token = await newToken()
    const sends = Array.from({ length: 4 }, () => send({}, { token, signal: leaving.signal }))
    await until(() => control.stats().in_flight === 4)
    leaving.abort()
    await Promise.allSettled(sends)
    await until(() => control.stats().in_flight === 0)
    expect(control.stats().peak_in_flight).toBe(4)
  })
})

describe('which calls a fault strikes', () => {
  it('is every WeChat path when it matches on nothing', async () => {
    const { control, stable, classic, call } = await setup()
    control.addFault({ kind: 'errcode' })
    expect((await stable()).json.errcode).toBe(-1)
    expect((await classic()).json.errcode).toBe(-1)
    expect((await call('/sandbox/stats')).status).toBe(200)
  })

  it('is one path, one user or one form_id', async () => {
    const { control, send, message, newToken } = await setup()
    const { form_id } = message()
    control.addFault({ kind: 'errcode', errcode: 1, match: { path: SEND, form_id } })
    control.addFault({ kind: 'errcode', errcode: 2, match: { open_id: 'oSomebodyElse' } })
    expect(await newToken()).not.toBe('refused')
    expect((await send({ form_id })).json.errcode).toBe(1)
    expect((await send({ touser: 'oSomebodyElse' })).json.errcode).toBe(2)
    expect((await send()).json.errcode).toBe(0)
  })

  it('leaves the first ones alone and stops after so many', async () => {
    const { send, control } = await withFaults({ id: 'some', kind: 'errcode', after: 2, times: 2 })
    const errcodes = []
    for (let call = 0; call < 6; call += 1) errcodes.push((await send()).json.errcode)
    expect(errcodes).toEqual([0, 0, -1, -1, 0, 0])
    expect(control.faults()).toEqual([
      { id: 'some', kind: 'errcode', after: 2, times: 2, match: { path: SEND }, seen: 6, struck: 2 },
    ])
  })

  it('is the given share of them, the same ones for the same seed', { tags: ['long'] }, async () => {
    async function run(seed: number, ...others: FaultSpec[]) {
      const { send, control } = await setup({ seed })
      for (const fault of [{ kind: 'errcode', rate: 0.3 } as const, ...others]) {
        control.addFault({ ...fault, match: { path: SEND } })
      }
      const errcodes = []
      for (let call = 0; call < 200; call += 1) errcodes.push((await send()).json.errcode)
      return errcodes
    }
    const first = await run(1)
    const struck = first.filter((errcode) => errcode === -1).length
    expect(struck).toBeGreaterThan(40)
    expect(struck).toBeLessThan(80)
    expect(await run(1)).toEqual(first)
    expect(await run(2)).not.toEqual(first)
    const mixed = await run(1, { kind: 'errcode', errcode: 45011, rate: 0.5 })
    expect(mixed.map((errcode) => (errcode === 45011 ? 0 : errcode))).toEqual(first)
  })

  it('is none after it was removed or all were cleared', async () => {
    const { send, control } = await setup()
    const id = control.addFault({ kind: 'errcode', match: { path: SEND } })
    expect(control.removeFault(id)).toBe(true)
    expect(control.removeFault(id)).toBe(false)
    expect((await send()).json.errcode).toBe(0)
    control.addFault({ kind: 'errcode' })
    control.clearFaults()
    expect((await send()).json.errcode).toBe(0)
  })

  it('cannot be moved to the other side of the effect where the kind says the side', async () => {
    const { control } = await setup()
    expect(() => control.addFault({ kind: 'cut_before', effect: 'after' })).toThrow('before the effect')
  })
})

/** Waits for a condition that the event loop will bring about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
