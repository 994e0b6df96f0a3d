import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestService, type TestService } from '../helpers/service.js'

interface Operation {
  responses: Record<string, { description: string }>
  requestBody?: { content: Record<string, { schema: object }> }
  security?: Record<string, string[]>[]
}
interface OpenApi {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components: { securitySchemes: Record<string, unknown> }
}

let service: TestService
let document: OpenApi
beforeAll(async () => {
  service = await startTestService('sqlite')
  document = (await service.request('GET', '/openapi.json')).body as OpenApi
})
afterAll(() => service.close())

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )

/** The description itself, the operators' pages, and what WeChat alone calls. */
const HIDDEN = /^GET \/(docs.*|openapi\.json)?$| \/dashboard(\/.*)?$| \/wechat\/callback(\/:app_id)?$/

test('the description has every route of the service, and no other', () => {
  // As Fastify prints its tree, a path below the one that it goes on from: "│   └── /:user_id/opt-out (PUT, DELETE)".
  const printed = service.app
    .printRoutes({ commonPrefix: false })
    .matchAll(/^(.*?)[├└]── (\S+)(?: \(([A-Z, ]+)\))?$/gm)
  const stems: string[] = []
  const routes = [...printed].flatMap(([, indent = '', stem = '', methods = '']) => {
    const depth = indent.length / 4
    stems.splice(depth, stems.length, stem)
    const path = stems.join('').replace(/:(user_id|date|id)\b/g, '{$1}')
    return methods
      .split(', ')
      .filter((method) => method !== '' && method !== 'HEAD')
      .map((method) => `${method} ${path}`)
  })
  expect(routes).toContain('POST /v1/form-ids')
  const described = operations().map(({ path, method }) => `${method.toUpperCase()} ${path}`)
  expect(described.sort()).toEqual(routes.filter((route) => !HIDDEN.test(route)).sort())
})

test('it is OpenAPI 3.1, in which its schemas are valid', () => {
  expect(document.openapi).toMatch(/^3\.1\./)
  expect(document.info).toMatchObject({
    title: expect.stringMatching(/./),
    version: expect.stringMatching(/./),
  })
  const text = JSON.stringify(document)
  // Words of 3.0 that 3.1 has not, and references to nowhere.
  expect(text).not.toContain('"nullable"')
  expect(text).not.toContain('"$ref"')
})

test('every call tells its answers, and what it wants for a key', () => {
  for (const { path, method, operation } of operations()) {
    const codes = Object.keys(operation.responses)
    expect(codes.length, `${method} ${path}`).toBeGreaterThan(0)
    for (const code of codes) expect(code).toMatch(/^[1-5]\d\d$/)
    if (method !== 'post') continue
    expect(codes).toEqual(expect.arrayContaining(['422', '429', '500', '503']))
    expect(codes.filter((code) => code === '201' || code === '202')).toHaveLength(1)
    expect(operation.requestBody?.content).toHaveProperty(['application/json', 'schema', 'type'], 'object')
    const schemes = operation.security?.flatMap((scheme) => Object.keys(scheme)) ?? []
    // Who logs in has nothing yet to show.
    expect(schemes.length > 0).toBe(path !== '/v1/sessions')
    for (const scheme of schemes) expect(document.components.securitySchemes).toHaveProperty(scheme)
  }
})

test('it tells of a form_id that it may be null', () => {
  expect(JSON.stringify(document.paths['/v1/form-ids'])).toContain('{"type":"null"}')
})

test.each(['/docs', '/docs/', '/docs/static/swagger-ui.css'])('%s answers', async (path) => {
  const answer = await service.request('GET', path)
  expect(answer.status).toBe(200)
  expect(answer.text.length).toBeGreaterThan(100)
})

test('it tells which calls a session may make, and which only a backend', () => {
  const schemesOf = (path: string, method: string) =>
    document.paths[path]?.[method]?.security?.flatMap((scheme) => Object.keys(scheme))
  expect(Object.keys(document.components.securitySchemes)).toEqual(['apiKey', 'session'])
  expect(schemesOf('/v1/form-ids', 'post')).toEqual(['apiKey', 'session'])
  expect(schemesOf('/v1/sign-ins', 'post')).toEqual(['apiKey', 'session'])
  expect(schemesOf('/v1/users', 'put')).toEqual(['apiKey'])
})
