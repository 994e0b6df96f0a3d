import { expect, test } from 'vitest'
import { newTraceId, traceIdIn } from '../../src/lib/trace-context.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

test.each([
  ['as the standard has it', `00-${TRACE}-${SPAN}-01`],
  ['not sampled', `00-${TRACE}-${SPAN}-00`],
  ['of a later version, with more behind', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`],
])('a traceparent %s names its trace', (_, header) => {
  expect(traceIdIn(header)).toBe(TRACE)
})

test.each([
  ['nothing', undefined],
  ['two of them', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
  ['a version that is reserved', `ff-${TRACE}-${SPAN}-01`],
  ['no trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['more than version 00 has', `00-${TRACE}-${SPAN}-01-more`],
  ['too little', `00-${TRACE}-${SPAN}`],
  ['a line break', `00-${TRACE}-${SPAN}-01\n`],
  ['a list', [`00-${TRACE}-${SPAN}-01`]],
])('%s is no traceparent', (_, header) => {
  expect(traceIdIn(header)).toBeUndefined()
})

test('a new trace id is one that a traceparent may carry, and another each time', () => {
  const ids = Array.from({ length: 100 }, newTraceId)
  expect(new Set(ids).size).toBe(100)
  for (const id of ids) expect(traceIdIn(`00-${id}-${SPAN}-01`)).toBe(id)
})
