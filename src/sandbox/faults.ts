import { type Static, Type } from 'typebox'
import type { Call } from './call.js'
import { ControlError } from './errors.js'
import { seededRandom } from './random.js'

const FaultKind = Type.Union([
  /** Waits `ms`, then goes on; adds to any other fault. */
  Type.Literal('latency'),
  /** Answers `errcode` (default -1). With effect "after" the message has been delivered nevertheless. */
  Type.Literal('errcode'),
  /** Answers HTTP `status` (default 502) with a gateway's page. */
  Type.Literal('http_status'),
  /** Closes the connection without an answer: nothing has happened. */
  Type.Literal('cut_before'),
  /** Closes the connection without an answer: the message has been delivered. */
  Type.Literal('cut_after'),
  /** Never answers; keeps the connection open until the client leaves. */
  Type.Literal('hang'),
  /** Delivers, sends the headers and half of the answer, then nothing more until the client leaves. */
  Type.Literal('stall'),
  /** HTTP 200 with bytes that are not JSON. */
  Type.Literal('garbage'),
  /** Delivers, then closes the connection in the middle of the answer. */
  Type.Literal('truncated'),
  /** Delivers and answers the right JSON, labelled text/html. */
  Type.Literal('wrong_content_type'),
  /** HTTP 302 to a path that does not exist, on the same host. */
  Type.Literal('redirect'),
  /** Delivers and answers correctly, in a JSON of 16 MiB. */
  Type.Literal('huge_body'),
  /** Kills the token of the call for good and answers 40001; calls without a token are left alone. */
  Type.Literal('token_dead'),
])

/** A fault to inject, as the control plane takes it: the same record in process and in JSON. */
export const FaultSpec = Type.Object(
  {
    /** A fault with the same id is replaced. */
    id: Type.Optional(Type.String({ minLength: 1 })),
    kind: FaultKind,
    /** All given fields must be equal; with none, the fault applies to every WeChat path. */
    match: Type.Optional(
      Type.Object(
        {
          /** The account whose token or app_id the call has. */
          app_id: Type.Optional(Type.String()),
          path: Type.Optional(Type.String()),
          open_id: Type.Optional(Type.String()),
          form_id: Type.Optional(Type.String()),
        },
        { additionalProperties: false },
      ),
    ),
    /** The share of matching calls that it strikes; default all. */
    rate: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** Strikes at most this many times. */
    times: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Spares this many matching calls first. */
    after: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Whether it strikes before or after the call has had its effect. */
    effect: Type.Optional(Type.Union([Type.Literal('before'), Type.Literal('after')])),
    errcode: Type.Optional(Type.Integer()),
    errmsg: Type.Optional(Type.String()),
    status: Type.Optional(Type.Integer({ minimum: 300, maximum: 599 })),
    ms: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
)

export type FaultSpec = Static<typeof FaultSpec>
export type FaultKind = FaultSpec['kind']
export type FaultMoment = 'before' | 'after'

/** A fault in place, with how many matching calls it saw and how many it struck. */
export type FaultStatus = FaultSpec & { id: string; seen: number; struck: number }

/** What strikes one call. */
export interface Strike {
  /** Waiting time before and after the effect of the call. */
  delays: Record<FaultMoment, number>
  fault?: FaultSpec
  effect: FaultMoment
}

const DEFAULT_EFFECT: Record<FaultKind, FaultMoment> = {
  latency: 'after',
  errcode: 'before',
  http_status: 'before',
  cut_before: 'before',
  cut_after: 'after',
  hang: 'before',
  stall: 'after',
  garbage: 'after',
  truncated: 'after',
  wrong_content_type: 'after',
  redirect: 'before',
  huge_body: 'after',
  token_dead: 'before',
}

const EFFECT_SELECTABLE = new Set<FaultKind>([
  'latency',
  'errcode',
  'http_status',
  'hang',
  'garbage',
  'redirect',
])

const DEFAULT_LATENCY_MS = 1000

interface ActiveFault extends FaultStatus {
  random: () => number
}

export class Faults {
  readonly #seed: number
  readonly #active = new Map<string, ActiveFault>()
  #added = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  /** Each fault has its own random generator, so that adding one does not change the luck of the others. */
  add(spec: FaultSpec): string {
    const { kind, effect } = spec
    if (effect && !EFFECT_SELECTABLE.has(kind) && effect !== DEFAULT_EFFECT[kind]) {
      throw new ControlError(`a ${kind} fault always strikes ${DEFAULT_EFFECT[kind]} the effect`)
    }
    this.#added += 1
    const id = spec.id ?? `fault-${this.#added}`
    const random = seededRandom(this.#seed + this.#added * 0x9e3779b9)
    this.#active.set(id, { ...spec, id, seen: 0, struck: 0, random })
    return id
  }

  list(): FaultStatus[] {
    return [...this.#active.values()].map(({ random: _, ...status }) => status)
  }

  remove(id: string): boolean {
    return this.#active.delete(id)
  }

  clear(): void {
    this.#active.clear()
    this.#added = 0
  }

  /**
   * What strikes this call. Latencies add up; of the other faults the first one that strikes wins, in the
   * order in which they were added, and the ones after it are not asked.
   */
  strike(call: Call, appId?: string): Strike | undefined {
    if (this.#active.size === 0) return undefined
    const strike: Strike = { delays: { before: 0, after: 0 }, effect: 'after' }
    let struck = false
    for (const fault of this.#active.values()) {
      if (fault.kind !== 'latency' && strike.fault) continue
      if (!matches(fault, call, appId) || !strikes(fault)) continue
      struck = true
      const effect = fault.effect ?? DEFAULT_EFFECT[fault.kind]
      if (fault.kind === 'latency') strike.delays[effect] += fault.ms ?? DEFAULT_LATENCY_MS
      else Object.assign(strike, { fault, effect })
    }
    return struck ? strike : undefined
  }
}

function matches({ kind, match }: ActiveFault, call: Call, appId: string | undefined): boolean {
  if (kind === 'token_dead' && call.accessToken === undefined) return false
  if (!match) return true
  if (match.app_id !== undefined && match.app_id !== appId) return false
  if (match.path !== undefined && match.path !== call.path) return false
  if (match.open_id !== undefined && match.open_id !== call.body?.touser) return false
  return match.form_id === undefined || match.form_id === call.body?.form_id
}

function strikes(fault: ActiveFault): boolean {
  fault.seen += 1
  if (fault.seen <= (fault.after ?? 0)) return false
  if (fault.times !== undefined && fault.struck >= fault.times) return false
  if (fault.rate !== undefined && fault.random() >= fault.rate) return false
  fault.struck += 1
  return true
}
