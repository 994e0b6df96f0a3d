import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { FastifyInstance } from 'fastify'

const compile = SerializerSelector()()

/** By the text of their schemas. Routes have schemas of their own that read the same: most describe an error. */
const serializers = new Map<string, ReturnType<typeof compile>>()

/**
 * Writes answers by their schemas. Of some 270 schemas 50 differ, and making a serializer is half of the work of a
 * start: one is made for all that read the same, and the next app of this process finds it.
 */
export function serializeAnswers(app: FastifyInstance): void {
  app.setSerializerCompiler(({ schema, method, url, httpStatus = '' }) => {
    const text = JSON.stringify(schema)
    const serializer = serializers.get(text) ?? compile({ schema, method, url, httpStatus })
    serializers.set(text, serializer)
    return serializer
  })
}
