import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import type { Call } from './call.js'
import type { Reply } from './replies.js'
import type { SendRequest } from './send-request.js'
import type { World } from './world.js'

/** An endpoint of this WeChat: changes the world and returns the answer. */
export type Endpoint = (world: World, call: Call) => Reply

/** The header of real answers, which names the encoding in an unusual way. */
export const JSON_TYPE = 'application/json; encoding=utf-8'

/** One call under way, from its arrival until its connection is done with it. */
export class Exchange {
  readonly world: World
  readonly call: Call
  readonly #endpoint: Endpoint
  readonly #reply: FastifyReply
  #effect: Reply | undefined
  #truthful = false
  readonly #witnessed: SendRequest | undefined

  constructor(world: World, call: Call, endpoint: Endpoint, reply: FastifyReply) {
    this.world = world
    this.call = call
    this.#endpoint = endpoint
    this.#reply = reply
    world.tally.enter()
    world.concurrentSends.enter(call)
    this.#witnessed = world.witness(call)
    const { socket } = reply.request.raw
    reply.raw.once('close', () => this.#close(socket))
  }

  takeEffect(): Reply {
    this.#effect = this.#endpoint(this.world, this.call)
    if (this.#witnessed && this.#effect.delivery) this.#witnessed.delivery = this.#effect.delivery
    return this.#effect
  }

  /** Writes the true answer, possibly in a disguise that a client should see through. */
  answer(answer: Reply, contentType = JSON_TYPE, body = answer.body): void {
    this.#truthful = true
    this.count(answer.errcode)
    this.write(200, { 'content-type': contentType }, body)
  }

  write(status: number, headers: Record<string, string>, body: string | Buffer): void {
    if (this.#witnessed) this.#witnessed.status = status
    const response = this.takeOver()
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
    response.end(body)
  }

  /** From here on only the caller writes: faults need the bare response and its socket. */
  takeOver(): ServerResponse {
    this.world.concurrentSends.leave(this.call)
    this.#reply.hijack()
    return this.#reply.raw
  }

  count(outcome: string | number): void {
    if (this.#witnessed) this.#witnessed.outcome = outcome
    this.world.tally.count(this.call.path, outcome)
  }

  /**
   * A client that left before the last byte was handed over has not been answered. Node still calls the
   * response finished; only the socket tells.
   */
  #close(socket: Socket): void {
    this.world.tally.leave()
    this.world.concurrentSends.leave(this.call)
    if (this.#witnessed) this.#witnessed.endedAt = this.world.clock.now()
    const delivery = this.#effect?.delivery
    if (delivery && this.#truthful && !socket.errored) delivery.answered = true
  }
}
