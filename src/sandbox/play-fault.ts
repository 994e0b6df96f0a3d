import type { ServerResponse } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { type Exchange, JSON_TYPE } from './exchange.js'
import type { FaultKind, FaultSpec, Strike } from './faults.js'
import { type Reply, refuseWith } from './replies.js'

export const HUGE_BODY_BYTES = 16 * 1024 * 1024

/** Where a redirect sends the client: nothing is there, so following it shows in the counts. */
const REDIRECT_TARGET = '/redirected'

type Play = (exchange: Exchange, fault: FaultSpec, answer: Reply | undefined) => void

/** How each kind answers, or fails to; `answer` is set if the call has had its effect. */
const PLAY: Record<FaultKind, Play> = {
  latency: (exchange, _fault, answer) => answerTruly(exchange, answer),
  errcode: (exchange, { errcode = -1, errmsg }) => answerErrcode(exchange, errcode, errmsg),
  token_dead: (exchange) => {
    exchange.world.tokens.kill(exchange.call.accessToken ?? '', exchange.world.clock.now())
    answerErrcode(exchange, 40001)
  },
  wrong_content_type: (exchange, _fault, answer) => answerTruly(exchange, answer, 'text/html; charset=utf-8'),
  huge_body: (exchange, _fault, answer) => {
    if (answer) exchange.answer(answer, JSON_TYPE, padded(answer.body))
  },
  http_status: (exchange, { kind, status = 502 }) => {
    exchange.count(kind)
    exchange.write(status, { 'content-type': 'text/html' }, `<h1>${status}</h1>`)
  },
  redirect: (exchange, { kind }) => {
    exchange.count(kind)
    exchange.write(302, { location: REDIRECT_TARGET }, '')
  },
  garbage: (exchange, { kind }) => {
    exchange.count(kind)
    exchange.write(200, { 'content-type': JSON_TYPE }, '{"errc\u0000\ufffd<html>')
  },
  cut_before: cut,
  cut_after: cut,
  hang: (exchange, { kind }) => {
    exchange.count(kind)
    exchange.takeOver()
  },
  stall: (exchange, { kind }, answer) => {
    exchange.count(kind)
    writeHalf(exchange, answer)
  },
  truncated: (exchange, { kind }, answer) => {
    exchange.count(kind)
    writeHalf(exchange, answer, (response) => response.socket?.destroy())
  },
}

/**
 * Lets the call have its effect or not, at the moment that the strike names, and answers as the fault
 * demands.
 */
export async function playStrike(exchange: Exchange, { fault, delays, effect }: Strike): Promise<void> {
  await pause(delays.before)
  const answer = effect === 'after' ? exchange.takeEffect() : undefined
  await pause(delays.after)
  if (fault) PLAY[fault.kind](exchange, fault, answer)
  else answerTruly(exchange, answer)
}

/** The timer does not keep the process alive; the connection of the waiting client does. */
async function pause(ms: number): Promise<void> {
  if (ms > 0) await setTimeout(ms, undefined, { ref: false })
}

function answerTruly(exchange: Exchange, answer: Reply | undefined, contentType?: string): void {
  if (answer) exchange.answer(answer, contentType)
}

function answerErrcode(exchange: Exchange, errcode: number, errmsg?: string): void {
  const { body } = refuseWith(errcode, errmsg)
  exchange.count(errcode)
  exchange.write(200, { 'content-type': JSON_TYPE }, body)
}

function cut(exchange: Exchange, { kind }: FaultSpec): void {
  exchange.count(kind)
  exchange.takeOver().socket?.destroy()
}

/** Promises the whole answer and sends half of it. */
function writeHalf(
  exchange: Exchange,
  answer: Reply | undefined,
  afterwards?: (response: ServerResponse) => void,
): void {
  const body = answer?.body ?? ''
  const response = exchange.takeOver()
  response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': Buffer.byteLength(body) })
  response.write(body.slice(0, body.length / 2), () => afterwards?.(response))
}

/** The same JSON object with one more, very long field. */
function padded(body: string): string {
  return `${body.slice(0, -1)},"padding":"${'x'.repeat(HUGE_BODY_BYTES)}"}`
}
