import { describe, expect, test } from 'vitest'
import type { Delivery } from '../../src/sandbox/ledger.js'
import { compareSubmitted, type Row } from './check-submitted.js'
import { openIdOf } from './permit-sources.js'
import type { Submitted } from './submitter.js'

const [FROM, UNTIL] = [1_000, 90_000]
const submitted: Submitted = { token: 'parcel-1', userId: 7, id: 1, state: 'queued', isRefused: false }
const row: Row = {
  id: 1,
  user_id: 7,
  token: 'parcel-1',
  state: 'delivered',
  message_state: 'delivered',
  not_before: FROM,
  not_after: UNTIL,
  requeues: 0,
}
const delivery: Delivery = {
  seq: 1,
  at: FROM,
  app_id: 'wx1',
  channel: 'form_id',
  open_id: openIdOf(7),
  template_id: 'template-1',
  form_id: 'form-1',
  page: null,
  data: { keyword1: { value: 'parcel-1' } },
  msgid: null,
  answered: true,
}

function compare({
  told = {},
  rows = [row],
  ledger = [delivery],
  differing = [],
}: {
  told?: object
  rows?: Row[]
  ledger?: Delivery[]
  differing?: object[]
}) {
  const messages = new Map([[submitted.token, { ...submitted, ...told }]])
  const { submitted_lost, submitted_twice, submitted_unwanted } = compareSubmitted(rows, ledger, {
    messages,
    differing,
  })
  return [submitted_lost.length, submitted_twice.length, submitted_unwanted.length]
}

describe('the books of a submitted message', () => {
  test('are in order if it was delivered once, in its time, to its user', () => {
    expect(compare({})).toEqual([0, 0, 0])
    const refused = { id: undefined, isRefused: true }
    expect(compare({ told: refused, rows: [], ledger: [] })).toEqual([0, 0, 0])
  })

  test.each<[string, Partial<Row>[], Partial<Submitted>]>([
    ['it was accepted and is not there', [], {}],
    ['it has not ended', [{ state: 'open', message_state: 'retry' }], {}],
    ['its two rows disagree', [{ state: 'expired' }], {}],
    ['it is another user’s', [{ user_id: 8 }], {}],
    ['it runs out at another time', [{}], { notAfter: UNTIL + 1 }],
    ['it was promised its permit and has none', [{ state: 'no_permit', message_state: 'cancelled' }], {}],
    ['it was cancelled and is not', [{ state: 'failed', message_state: 'failed' }], { isCancelled: true }],
  ])('show that it is lost if %s', (_, changes, told) => {
    expect(compare({ told, rows: changes.map((one) => ({ ...row, ...one })), ledger: [] })[0]).toBe(1)
  })

  test('show what is there twice', () => {
    expect(compare({ rows: [row, { ...row, id: 2 }] })[1]).toBe(1)
    expect(compare({ ledger: [delivery, { ...delivery, at: FROM + 5 }] })[1]).toBe(1)
    expect(compare({ differing: [{}] })[1]).toBe(1)
  })

  test.each<[string, Partial<Delivery>, Partial<Row>, Partial<Submitted>]>([
    ['it was cancelled', {}, { state: 'cancelled', message_state: 'cancelled' }, { isCancelled: true }],
    ['it is dead', {}, { state: 'dead', message_state: 'cancelled' }, {}],
    ['it came too early', { at: FROM - 1 }, {}, {}],
    ['it came too late', { at: UNTIL + 60_000 }, {}, {}],
    ['it went to somebody else', { open_id: openIdOf(8) }, {}, {}],
  ])('show a delivery that nobody wanted if %s', (_, delivered, stored, told) => {
    expect(compare({ told, rows: [{ ...row, ...stored }], ledger: [{ ...delivery, ...delivered }] })[2]).toBe(
      1,
    )
  })

  test('show a message that is stored though it was refused', () => {
    expect(compare({ told: { isRefused: true } })[2]).toBe(1)
  })
})
