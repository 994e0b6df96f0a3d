import type { FastifyReply } from 'fastify'
import { document } from './layout.js'
import type { Page, Reader } from './reader.js'
import { setPageHeaders } from './security.js'

export function sendPage(reply: FastifyReply, reader: Reader, page: Page): FastifyReply {
  setPageHeaders(reply)
  return reply.type('text/html; charset=utf-8').send(document(reader, page).toString())
}
