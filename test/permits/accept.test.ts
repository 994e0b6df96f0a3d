import { describe, expect, test } from 'vitest'
import { FORM_ID_LIFETIME_MS } from '../../src/books/index.js'
import { accept, type UploadedPermit } from '../../src/permits/accept.js'
import { DAY_MS, MINUTE_MS, NOW } from '../helpers/constants.js'

const upload = (formId: string | null, submittedAt?: number): UploadedPermit => ({
  appId: 'wxA',
  openId: 'oA',
  userId: 1,
  formId,
  source: 'form',
  page: undefined,
  submittedAt,
})
const REAL = '4f1b2c3d5e6f708192a3b4c5d6e7f809'

describe('an uploaded text', () => {
  test.each([
    ['the formId is a mock one', 'mock'],
    ['the formid is a MOCK one', 'mock'],
    ['  the formId is a mock one\n', 'mock'],
    ['the formId is no longer available in develop or trial version of this mini program', 'trial_version'],
    ['THE FORMID IS NO LONGER AVAILABLE IN DEVELOP OR TRIAL VERSION OF THIS MINI PROGRAM', 'trial_version'],
    ['requestFormId:fail', 'request_failed'],
    ['requestFormId:fail deprecated', 'request_failed'],
    ['requestFormId:fail timeout', 'request_failed'],
    ['requestformid:FAIL whatever comes next', 'request_failed'],
    ['', 'empty'],
    ['   ', 'empty'],
    [null, 'empty'],
    ['undefined', 'empty'],
    ['null', 'empty'],
    ['NULL', 'empty'],
    ['two words', 'malformed'],
    ['表单', 'malformed'],
    ['form\u0000id', 'malformed'],
    ['line\nbreak', 'malformed'],
    ['x'.repeat(129), 'malformed'],
  ])('%j is refused as %s', (text, reason) => {
    expect(accept(upload(text), NOW)).toEqual({ ok: false, reason })
  })

  test.each([
    REAL,
    REAL.toUpperCase(),
    '1574151234567',
    'x'.repeat(128),
    'wx20191119184932f7e6d5c4b3a2',
    'mock',
  ])('%j is a form_id', (formId) => {
    expect(accept(upload(formId), NOW)).toMatchObject({ ok: true, formId })
  })

  test('loses the blanks around it and nothing else', () => {
    expect(accept(upload(` ${REAL}\n`), NOW)).toMatchObject({ ok: true, formId: REAL })
  })
})

describe('a prepay_id', () => {
  const payment = (formId: string) => accept({ ...upload(formId), source: 'pay' }, NOW)

  test('a prepay_id is valid for seven days from the payment', () => {
    expect(payment('wx20191119184932f7e6d5c4b3a2')).toMatchObject({ ok: true, expire: NOW + 7 * DAY_MS })
  })

  test('a prepay_id is not the number that WeChat Pay gives to the transaction', () => {
    const transaction = '4200000453201911190123456789'
    expect(payment(transaction)).toEqual({ ok: false, reason: 'transaction_id' })
    expect(accept(upload(transaction), NOW)).toMatchObject({ ok: true })
  })
})

describe('a form_id', () => {
  const expireOf = (submittedAt?: number) => {
    const acceptance = accept(upload(REAL, submittedAt), NOW)
    return acceptance.ok ? acceptance.expire : acceptance.reason
  }

  test('a form_id is valid for seven days from now, if nobody says when the form was submitted', () => {
    expect(expireOf()).toBe(NOW + 7 * DAY_MS)
  })

  test('a form_id is valid for seven days from the submit', () => {
    expect(expireOf(NOW - 2 * DAY_MS - 1)).toBe(NOW + 5 * DAY_MS - 1)
  })

  test('a form_id is never valid for longer than seven days from now, whatever the client’s clock says', () => {
    expect(expireOf(NOW + 1)).toBe(NOW + 7 * DAY_MS)
    expect(expireOf(NOW + 300 * DAY_MS)).toBe(NOW + 7 * DAY_MS)
    expect(expireOf(Number.MAX_SAFE_INTEGER)).toBe(NOW + 7 * DAY_MS)
  })

  test('a form_id that would run out within a minute is refused as expired', () => {
    const lastGood = NOW - FORM_ID_LIFETIME_MS + MINUTE_MS + 1
    expect(expireOf(lastGood)).toBe(NOW + MINUTE_MS + 1)
    expect(expireOf(lastGood - 1)).toBe('expired')
    expect(expireOf(NOW - 8 * DAY_MS)).toBe('expired')
    expect(expireOf(0)).toBe('expired')
  })
})
