import { describe, expect, test } from 'vitest'
import { LEASE_MS } from '../../src/messages/leases.js'
import { MAX_ATTEMPTS } from '../../src/messages/verdict.js'
import { SKEW_LIMIT_MS, SKEW_WARN_MS } from '../../src/operations/clock.js'
import { ERRCODES, errcodeOf, httpStatusEntry } from '../../src/wechat/errcodes.js'
import { all, languagesOf, read, rowsOf, sorted, wordOf } from './pages.js'

/** Codes that only a login is answered, see http.md. */
const LOGIN_CODES = [40029, 40163, 40226]

/** The table of answers of a page. */
const answersOf = (page: string) =>
  rowsOf(page, 'class', '类别').map(([name, answers = '', ...effects]) => {
    const [codes = '', statuses = ''] = answers.split('HTTP ')
    return {
      name: wordOf(name),
      codes: all(codes, /(-?\d+)/g).map(Number),
      statuses: all(statuses, /(\d{3})(?!\d)/g).map(Number),
      isComplete: !/others|any other|等|任何其他/.test(codes),
      effects: effects.join(' | '),
    }
  })

describe.each(languagesOf('docs/delivery.md'))('%s', (page) => {
  const text = read(page)
  const rows = answersOf(page)

  test('has every class of answers, and besides them only what is ambiguous', () => {
    const classes = [...ERRCODES.map((entry) => entry.class), errcodeOf(1).class]
    expect(rows.map(({ name }) => name).sort()).toEqual(sorted([...classes, 'ambiguous']))
  })

  test.each(rows)('has codes of the class $name', ({ name, codes, isComplete }) => {
    expect(codes.map((code) => errcodeOf(code).class)).toEqual(codes.map(() => name))
    const ofClass = ERRCODES.filter((entry) => entry.class === name && !LOGIN_CODES.includes(entry.errcode))
    if (isComplete) expect([...codes].sort()).toEqual(ofClass.map(({ errcode }) => errcode).sort())
  })

  test('has HTTP statuses of the class that they have', () => {
    const transient = rows.find(({ name }) => name === 'transient')?.statuses
    const statuses = Array.from({ length: 300 }, (_, i) => i + 300)
    const ofClass = (wanted: string | undefined) =>
      statuses.filter((status) => httpStatusEntry(status)?.class === wanted)
    expect(transient).toEqual(ofClass('transient'))
    expect(ofClass('configuration').every((status) => status < 500)).toBe(true)
    expect(ofClass(undefined).every((status) => status >= 500)).toBe(true)
  })

  test('names the codes that stop a user', () => {
    const effects = rows.find(({ name }) => name === 'user')?.effects ?? ''
    const [optOut = '', block = ''] = all(effects, /((?:\d{5}(?:, | and |、)?)+)/g)
    const stopping = (stops: string) =>
      ERRCODES.filter((entry) => entry.stops === stops).map(({ errcode }) => errcode)
    expect(all(optOut, /(\d{5})/g).map(Number)).toEqual(stopping('opt_out'))
    expect(all(block, /(\d{5})/g).map(Number)).toEqual(stopping('block'))
  })

  test('says how many attempts, how long a lease and how wrong a clock may be', () => {
    const numbers = (pattern: RegExp) => pattern.exec(text)?.slice(1).map(Number)
    expect(numbers(/`retry`[;；](?: after)? ?(\d+) (?:attempts|次后) ?`cancelled`/)).toEqual([MAX_ATTEMPTS])
    expect(numbers(/(?:has a lease of|带着) (\d+) (?:seconds|秒)/)).toEqual([LEASE_MS / 1000])
    expect(
      numbers(/(?:From|相差) (\d+) (?:seconds|秒)[^.。]*?[;；](?: from)? ?(\d+) (?:seconds|秒)/),
    ).toEqual([SKEW_WARN_MS / 1000, SKEW_LIMIT_MS / 1000])
  })
})
