import { describe, expect, test } from 'vitest'
import {
  ERRCODES,
  type ErrcodeClass,
  errcodeOf,
  httpStatusEntry,
  tokenEndpointErrcodeOf,
} from '../../src/wechat/errcodes.js'

describe('errcodeOf', () => {
  test.each<[ErrcodeClass, number[]]>([
    ['ok', [0]],
    ['transient', [-1, 45011, 43108, 61450, 200001]],
    ['token', [40001, 40014, 42001]],
    ['dead_permit', [41028, 41029]],
    ['person_limit', [43117]],
    ['user', [40003, 43101, 43004, 43019, 48002, 50005]],
    [
      'configuration',
      [
        40002, 40013, 40036, 40037, 40125, 40164, 40243, 40249, 40250, 40251, 40252, 41001, 41002, 41004,
        41030, 43002, 43106, 43107, 43116, 44002, 45103, 45109, 45168, 47001, 47003, 48001, 48004, 48008,
        50001, 50002, 89501, 89503, 89506, 89507,
      ],
    ],
    ['quota', [45009]],
    ['duplicate', [40241]],
  ])('class %s has its codes', (errcodeClass, codes) => {
    expect(codes.filter((code) => errcodeOf(code).class !== errcodeClass)).toEqual([])
  })

  test('gives a code that is in no table the written-down default', () => {
    expect(errcodeOf(99999)).toMatchObject({ errcode: 99999, name: 'unknown', class: 'unknown' })
  })

  test('says where a person asked for no messages and where the platform lets none through', () => {
    const stopping = ERRCODES.filter((entry) => entry.stops !== undefined)
    expect(Object.fromEntries(stopping.map((entry) => [entry.errcode, entry.stops]))).toEqual({
      43101: 'opt_out',
      43004: 'block',
      43019: 'block',
      48002: 'block',
    })
  })

  test('says which answers are no proof that nothing was sent', () => {
    const unproven = ERRCODES.filter((entry) => entry.maybeSent)
    expect(unproven.map((entry) => entry.errcode)).toEqual([-1, 61450, 200001])
  })

  test('says something in both languages about every code, and each code once', () => {
    expect(
      ERRCODES.filter((entry) => entry.meaning === '' || !/[\u4e00-\u9fff]/.test(entry.meaning_zh)),
    ).toEqual([])
    expect(new Set(ERRCODES.map((entry) => entry.errcode)).size).toBe(ERRCODES.length)
  })

  test('40001 is a stale token on a business call and a wrong secret where the token is asked for', () => {
    expect(errcodeOf(40001).class).toBe('token')
    expect(tokenEndpointErrcodeOf(40001).class).toBe('configuration')
    expect(tokenEndpointErrcodeOf(45011).class).toBe('transient')
  })
})

describe('httpStatusEntry', () => {
  test.each([408, 425, 429, 503])('%i was not taken up, so it may be tried again', (status) => {
    expect(httpStatusEntry(status)?.class).toBe('transient')
  })

  test.each([301, 302, 307, 400, 403, 404, 413])('%i is not WeChat, so somebody has to look', (status) => {
    expect(httpStatusEntry(status)?.class).toBe('configuration')
  })

  test.each([500, 502, 504])('%i leaves open whether the message went out', (status) => {
    expect(httpStatusEntry(status)).toBeUndefined()
  })
})
