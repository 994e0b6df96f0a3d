import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { SandboxControl } from '../../src/sandbox/control.js'
import { controlRoutes } from '../../src/sandbox/control-routes.js'
import { FaultSpec } from '../../src/sandbox/faults.js'
import { wechatRoutes } from '../../src/sandbox/wechat-routes.js'
import { World } from '../../src/sandbox/world.js'
import { all, PAGES, read, rowsOf, sorted, wordOf, wordsIn } from './pages.js'

const PAGE = 'docs/sandbox.md'

/** Every route of a sandbox, as `METHOD /path`. */
async function routes(): Promise<string[]> {
  const world = new World({})
  const found: string[] = []
  const app = Fastify()
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) found.push(`${one} ${url.replace(/:(\w+)/g, '{$1}')}`)
  })
  await app.register(controlRoutes, { prefix: '/sandbox', control: new SandboxControl(world) })
  await app.register(wechatRoutes, { world })
  await app.ready()
  await app.close()
  return found.filter((route) => !route.startsWith('HEAD '))
}

/** `GET, POST /sandbox/pushes` as two. */
const callsIn = (cell: string): string[] => {
  const [methods = '', path = ''] = cell.split(' /')
  return methods.split(', ').map((method) => `${method} /${path}`)
}

test('the page lists exactly the calls of the control interface', async () => {
  const listed = rowsOf(PAGE, 'call').flatMap(([call = '']) => callsIn(call))
  expect(listed.sort()).toEqual((await routes()).filter((route) => route.includes(' /sandbox/')).sort())
})

test('the page lists exactly the paths of WeChat', async () => {
  const paths = (await routes()).flatMap((route) => all(route, /^POST (\/(?:cgi-bin|sns)\/.*)$/g))
  expect(paths.length).toBeGreaterThan(5)
  expect(sorted(rowsOf(PAGE, 'path').flatMap(([path]) => wordsIn(path)))).toEqual(sorted(paths))
})

test('the page lists exactly the kinds and the fields of faults', () => {
  const { kind, match, ...others } = FaultSpec.properties
  expect(rowsOf(PAGE, 'kind').map(([name]) => wordOf(name))).toEqual(kind.anyOf.map((one) => one.const))
  const fields = rowsOf(PAGE, 'field').flatMap(([name]) => wordsIn(name))
  expect(fields.sort()).toEqual(['match', ...Object.keys(others)].sort())
  const [, matched] = rowsOf(PAGE, 'field').find(([name]) => wordOf(name) === 'match') ?? []
  expect(wordsIn(matched)).toEqual(expect.arrayContaining(Object.keys(match.properties)))
})

test.each(PAGES)('%s names calls of the sandbox that there are', async (page) => {
  const named = all(read(page), /\/sandbox\/([a-z-]+)/g)
  const known = (await routes()).flatMap((route) => all(route, / \/sandbox\/([a-z-]+)/g))
  expect(known).toEqual(expect.arrayContaining(named))
})
