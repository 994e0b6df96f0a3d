import { randomBytes } from 'node:crypto'
import type { SandboxControl } from '../../src/sandbox/control.js'
import { DAY_MS, TEMPLATE_ID } from '../helpers/constants.js'
import type { Luck } from './luck.js'
import type { ChaosOptions } from './options.js'
import { PARCEL_TEMPLATE_ID } from './parcel-template.js'

/** One permit, or on a service account one person, as the backend reports it. */
export interface Upload {
  /** Names the permit: its form_id, or the tap; a person by the open_id. */
  name: string
  openId: string
  userId: number
  body: object
}

/** How users of a channel come by permits. */
export interface PermitSource {
  method: 'POST' | 'PUT'
  path: string
  /** Of one request. */
  maxItems: number
  /** What a new user has before the first good permit. */
  firstOf(userId: number, luck: Luck): Upload[]
  next(userId: number): Upload
  /** How many permits the person has given, reported or not. */
  givenBy(openId: string): number
}

export function createPermitSource(channel: ChaosOptions['channel'], wechat: SandboxControl): PermitSource {
  switch (channel) {
    case 'form_id':
      return formIds(wechat)
    case 'subscribe':
      return subscriptions(wechat)
    case 'official':
      return followers(wechat)
  }
}

function formIds(wechat: SandboxControl): PermitSource {
  const given = new Map<string, number>()
  const upload = (userId: number, form_id: string, rest: object = {}): Upload => {
    const openId = openIdOf(userId)
    return { name: form_id, openId, userId, body: { open_id: openId, user_id: userId, form_id, ...rest } }
  }
  return {
    method: 'POST',
    path: '/v1/form-ids',
    maxItems: 999,
    // The oldest permit is one that WeChat does not know: the message has to go on to the next one.
    firstOf: (userId, luck) =>
      luck.chance(0.05) ? [upload(userId, newFormId(), { submitted_at: Date.now() - DAY_MS })] : [],
    next: (userId) => {
      const openId = openIdOf(userId)
      given.set(openId, (given.get(openId) ?? 0) + 1)
      return upload(userId, wechat.issueFormId({ openId }))
    },
    givenBy: (openId) => given.get(openId) ?? 0,
  }
}

function subscriptions(wechat: SandboxControl): PermitSource {
  const given = new Map<string, number>()
  let taps = 0
  const tap = (userId: number, templateId: string): string => {
    const openId = openIdOf(userId)
    given.set(openId, (given.get(openId) ?? 0) + 1)
    wechat.grantSubscription({ openId, templateId })
    return openId
  }
  return {
    method: 'POST',
    path: '/v1/subscriptions',
    // Each item is a transaction of its own: on a busy machine more than these take seconds.
    maxItems: 10,
    // The page of this one was closed too early: if anybody tells of the tap, it is WeChat's event.
    firstOf: (userId, luck) => {
      if (luck.chance(0.05)) tap(userId, TEMPLATE_ID)
      return []
    },
    next: (userId) => {
      const template_id = ++taps % 3 === 0 ? PARCEL_TEMPLATE_ID : TEMPLATE_ID
      const openId = tap(userId, template_id)
      const tap_id = newFormId()
      const told = { template_id, result: 'accept', tap_id, tapped_at: Date.now() }
      return { name: tap_id, openId, userId, body: { open_id: openId, user_id: userId, ...told } }
    },
    givenBy: (openId) => given.get(openId) ?? 0,
  }
}

/** Followers of a service account need no permit: the backend binds them, again and again. */
function followers(wechat: SandboxControl): PermitSource {
  return {
    method: 'PUT',
    path: '/v1/users',
    maxItems: 1,
    firstOf: () => [],
    next: (userId) => {
      const openId = openIdOf(userId)
      wechat.follow({ openId })
      return { name: openId, openId, userId, body: { open_id: openId, user_id: userId } }
    },
    givenBy: () => 0,
  }
}

export function openIdOf(userId: number): string {
  return `oChaos${String(userId).padStart(22, '0')}`
}

export function newFormId(): string {
  return randomBytes(16).toString('hex')
}
