import { randomUUID } from 'node:crypto'
import fastify from 'fastify'
import type { Account } from '../account.js'
import { createAccounts } from '../accounts.js'
import { callbackRoutes } from '../callbacks/routes.js'
import type { CallCallback } from '../callbacks/self-test.js'
import type { Config } from '../config/read.js'
import type { Base } from '../deps.js'
import { handleErrors } from '../http/errors.js'
import type { Bilingual } from '../lib/bilingual.js'

/**
 * Who answers the callback: the public address, the service on this machine, or, if that is not running, its
 * code.
 */
export interface CallbackTarget {
  name: Bilingual
  call: CallCallback
}

/** WeChat hangs up after 5 s (消息推送). */
const ANSWER_WITHIN_MS = 5_000

/**
 * WX_CALLBACK_URL if it is set, otherwise the service that runs here, otherwise the same routes in this
 * process.
 */
export async function findCallbackTarget(
  base: Base,
  { host, port }: Pick<Config, 'host' | 'port'>,
  account: Account,
): Promise<CallbackTarget> {
  const { url } = account.callback
  if (url !== '') return { name: { en: url, zh: url }, call: callOverHttp(url) }
  const here = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  const local = `http://${here.includes(':') ? `[${here}]` : here}:${port}`
  if (await isUp(local)) {
    const address = local + pathOf(account)
    return { name: { en: address, zh: address }, call: callOverHttp(address) }
  }
  return {
    name: {
      en: 'in this process, because no service is running here',
      zh: '在本进程内，因为这里没有服务在运行',
    },
    call: callInProcess(base, account),
  }
}

/** Also right where several accounts are served. */
function pathOf({ appId }: Account): string {
  return `/wechat/callback/${encodeURIComponent(appId)}`
}

async function isUp(local: string): Promise<boolean> {
  try {
    return (await fetch(`${local}/healthz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })).ok
  } catch {
    return false
  }
}

function callOverHttp(address: string): CallCallback {
  return async (query, body) => {
    const url = new URL(address)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      ...(body === undefined
        ? {}
        : { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
    })
    return { status: response.status, body: await response.text() }
  }
}

function callInProcess({ db, log, now }: Base, account: Account): CallCallback {
  return async (query, body) => {
    const app = fastify({ genReqId: () => randomUUID() })
    handleErrors(app, log)
    await app.register(
      callbackRoutes({
        dbOf: () => db,
        accounts: createAccounts([account]),
        refusedPerMinute: Number.POSITIVE_INFINITY,
        onStored: () => {},
        log,
        now,
      }),
    )
    const answer = await app.inject({
      method: body === undefined ? 'GET' : 'POST',
      url: pathOf(account),
      query,
      ...(body === undefined ? {} : { payload: body }),
    })
    await app.close()
    return { status: answer.statusCode, body: answer.body }
  }
}
