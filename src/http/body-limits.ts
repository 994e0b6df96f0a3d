import { Transform } from 'node:stream'
import type { preParsingAsyncHookHandler } from 'fastify'
import { ServiceError } from '../errors.js'

/** For a call with one item, and for every route that sets no other limit. */
export const SMALL_BODY_BYTES = 4 * 1024
/** A thousand form_ids with their open_ids take about 200 KB. */
export const BATCH_BODY_BYTES = 1024 * 1024
/** Twenty items with the longest fields take some 26 KB. */
const SESSION_BATCH_BYTES = 32 * 1024

export const BODY_TOO_LARGE = [
  'payload_too_large',
  'The body is too large; send fewer items in a request',
] as const

/** For a route that backends send large batches to: a session has a smaller limit, known before its body is read. */
export const limitSessionBody: preParsingAsyncHookHandler = async (request, _reply, payload) => {
  if (request.caller?.kind !== 'session') return payload
  const length = request.headers['content-length']
  if (Number(length ?? 0) > SESSION_BATCH_BYTES) throw new ServiceError(...BODY_TOO_LARGE)
  // The HTTP parser accepts no more than that.
  if (length !== undefined) return payload
  let size = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      if (size > SESSION_BATCH_BYTES) done(new ServiceError(...BODY_TOO_LARGE))
      else done(null, chunk)
    },
  })
  payload.on('error', (error) => counted.destroy(error))
  return payload.pipe(counted)
}
