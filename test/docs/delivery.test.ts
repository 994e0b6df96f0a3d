import { expect, test } from 'vitest'
import { LEASE_MS } from '../../src/messages/leases.js'
import { MAX_ATTEMPTS } from '../../src/messages/verdict.js'
import { SKEW_LIMIT_MS, SKEW_WARN_MS } from '../../src/operations/clock.js'
import { ERRCODES, errcodeOf, httpStatusEntry } from '../../src/wechat/errcodes.js'
import { all, read, rowsOf, sorted, wordOf } from './pages.js'

const PAGE = 'docs/delivery.md'
const text = read(PAGE)

const rows = rowsOf(PAGE, 'class').map(([name, answers = '', ...effects]) => {
  const [codes = '', statuses = ''] = answers.split('HTTP ')
  return {
    name: wordOf(name),
    codes: all(codes, /(-?\d+)/g).map(Number),
    statuses: all(statuses, /(\d{3})\b/g).map(Number),
    isComplete: !/others|any other/.test(codes),
    effects: effects.join(' | '),
  }
})

/** Codes that only a login is answered, see http.md. */
const LOGIN_CODES = [40029, 40163, 40226]

test('the table of answers has every class, and besides them only what is ambiguous', () => {
  const classes = [...ERRCODES.map((entry) => entry.class), errcodeOf(1).class]
  expect(sorted(rows.map(({ name }) => name))).toEqual(sorted([...classes, 'ambiguous']))
})

test.each(rows)('the codes of $name are of that class', ({ name, codes, isComplete }) => {
  expect(codes.map((code) => errcodeOf(code).class)).toEqual(codes.map(() => name))
  const ofClass = ERRCODES.filter((entry) => entry.class === name && !LOGIN_CODES.includes(entry.errcode))
  if (isComplete) expect([...codes].sort()).toEqual(ofClass.map(({ errcode }) => errcode).sort())
})

test('HTTP statuses are of the class that they have', () => {
  const transient = rows.find(({ name }) => name === 'transient')?.statuses ?? []
  const statuses = Array.from({ length: 300 }, (_, i) => i + 300)
  const ofClass = (wanted: string | undefined) =>
    statuses.filter((status) => httpStatusEntry(status)?.class === wanted)
  expect(transient).toEqual(ofClass('transient'))
  expect(ofClass('configuration').every((status) => status < 500)).toBe(true)
  expect(ofClass(undefined).every((status) => status >= 500)).toBe(true)
})

test('the codes that stop a user are those that do', () => {
  const effects = rows.find(({ name }) => name === 'user')?.effects ?? ''
  const [, optOut = '', block = ''] =
    /; ([^;]*) is recorded as an opt-out, ([^|]*) as a block/.exec(effects) ?? []
  const stopping = (stops: string) =>
    ERRCODES.filter((entry) => entry.stops === stops).map(({ errcode }) => errcode)
  expect(all(optOut, /(\d+)/g).map(Number)).toEqual(stopping('opt_out'))
  expect(all(block, /(\d+)/g).map(Number)).toEqual(stopping('block'))
})

test('attempts, leases and clocks have the limits that the page says', () => {
  expect(text).toContain(`after ${MAX_ATTEMPTS} attempts \`cancelled\``)
  expect(text).toContain(`has a lease of ${LEASE_MS / 1000} seconds`)
  expect(text).toContain(
    `From ${SKEW_WARN_MS / 1000} seconds on \`doctor\` warns; from ${SKEW_LIMIT_MS / 1000} seconds on`,
  )
})
