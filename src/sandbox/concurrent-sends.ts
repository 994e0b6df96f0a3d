import type { Call } from './call.js'

/**
 * The sends under way, by path and openid: a second one to the same openid, while the first has not been answered, can
 * be told (43108). Only a latency keeps a send under way here: without one the sandbox answers at once.
 */
export class ConcurrentSends {
  readonly #first = new Map<string, Call>()
  readonly #second = new WeakSet<Call>()

  enter(call: Call): void {
    const key = keyOf(call)
    if (key === undefined) return
    if (this.#first.has(key)) this.#second.add(call)
    else this.#first.set(key, call)
  }

  leave(call: Call): void {
    const key = keyOf(call)
    if (key !== undefined && this.#first.get(key) === call) this.#first.delete(key)
  }

  /** Whether another send to the same openid was under way when this one came. */
  isSecond(call: Call): boolean {
    return this.#second.has(call)
  }
}

function keyOf({ path, body }: Call): string | undefined {
  return typeof body?.touser === 'string' ? `${path} ${body.touser}` : undefined
}
