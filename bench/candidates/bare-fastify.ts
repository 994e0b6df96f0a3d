import fastify from 'fastify'

/** What Fastify alone can take: the body parsed and checked, the answer given, and nothing stored. Tells its address. */
const app = fastify()
const item = {
  type: 'object',
  required: ['open_id', 'user_id', 'form_id'],
  properties: {
    open_id: { type: 'string', maxLength: 64 },
    user_id: { type: 'integer' },
    form_id: { type: 'string', maxLength: 128 },
  },
}
app.post('/v1/form-ids', { schema: { body: item } }, async (_, reply) =>
  reply.status(201).send({ accepted: 1, duplicates: 0, rejected: 0 }),
)
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`)
