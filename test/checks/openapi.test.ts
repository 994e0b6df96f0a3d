import { beforeAll, expect, test } from 'vitest'
import { lintApi, readApiDescription } from '../../checks/openapi.js'

type Json = Record<string, unknown>

let description: string
beforeAll(async () => {
  description = await readApiDescription()
})

/** The description with a change in what it says about POST /v1/sign-ins. */
function changed(change: (operation: Json & { responses: Json }) => void): string {
  const copy = JSON.parse(description)
  change(copy.paths['/v1/sign-ins'].post)
  return JSON.stringify(copy)
}

test('the API description has no faults', async () => {
  expect(await lintApi(description)).toEqual([])
})

test.each<[string, string, (operation: Json & { responses: Json }) => void]>([
  ['without an operationId', 'operationId', (operation) => delete operation.operationId],
  ['with one that is not in camelCase', 'camelCase', (operation) => (operation.operationId = 'record_it')],
  ['without a description', 'operation-description', (operation) => delete operation.description],
  ['without a summary', 'operation-summary', (operation) => delete operation.summary],
  ['with a tag that is not explained', 'operation-tag-defined', (operation) => (operation.tags = ['odd'])],
  [
    'with a catch-all for its errors',
    'no-catch-all-status',
    ({ responses }) => (responses['4XX'] = responses['422']),
  ],
  [
    'with an answer without an example',
    'every-body-has-an-example',
    ({ responses }) => {
      responses['201'] = {
        description: 'done',
        headers: { 'X-Request-Id': { schema: { type: 'string' } } },
        content: { 'application/json': { schema: { type: 'object' } } },
      }
    },
  ],
  [
    'with an example that its schema does not allow',
    'no-invalid-media-type-examples',
    ({ responses }) => {
      const { content } = responses['201'] as { content: Record<string, Json> }
      content['application/json'] = { ...content['application/json'], example: { date: 3 } }
    },
  ],
])('a call %s is a fault', async (_, rule, change) => {
  const faults = await lintApi(changed(change))
  expect(faults.join('\n')).toContain(rule)
  expect(faults.every((fault) => fault.startsWith('openapi.json #/paths/~1v1~1sign-ins/post'))).toBe(true)
})
