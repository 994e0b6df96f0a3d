import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { SandboxControl } from '../../src/sandbox/control.js'
import { controlRoutes } from '../../src/sandbox/control-routes.js'
import { type FaultKind, FaultSpec, Faults } from '../../src/sandbox/faults.js'
import { wechatRoutes } from '../../src/sandbox/wechat-routes.js'
import { World } from '../../src/sandbox/world.js'
import { all, languagesOf, PAGES, read, rowsOf, sorted, wordOf, wordsIn } from './pages.js'

/** Every route of a sandbox, as `METHOD /path`. */
async function routes(): Promise<string[]> {
  const world = new World({})
  const found: string[] = []
  const app = Fastify()
  // Nobody calls it, and to compile its schemas takes half a second.
  app.setValidatorCompiler(() => () => true)
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) found.push(`${one} ${url.replace(/:(\w+)/g, '{$1}')}`)
  })
  await app.register(controlRoutes, { prefix: '/sandbox', control: new SandboxControl(world) })
  await app.register(wechatRoutes, { world })
  await app.ready()
  await app.close()
  return found.filter((route) => !route.startsWith('HEAD '))
}

/** A call with a token, which every kind of fault can strike. */
const CALL = {
  path: '/',
  method: 'POST',
  ip: '127.0.0.1',
  query: {},
  accessToken: 'a-token',
  body: undefined,
  hasBody: false,
  client: undefined,
}

/** `GET, POST /sandbox/pushes` as two. */
const callsIn = (cell: string): string[] => {
  const [methods = '', path = ''] = cell.split(' /')
  return methods.split(', ').map((method) => `${method} /${path}`)
}

describe.each(languagesOf('docs/sandbox.md'))('%s', (page) => {
  test('lists exactly the calls of the control interface', async () => {
    const listed = rowsOf(page, 'call', '接口').flatMap(([call = '']) => callsIn(call))
    expect(listed.sort()).toEqual((await routes()).filter((route) => route.includes(' /sandbox/')).sort())
  })

  test('lists exactly the paths of WeChat', async () => {
    const paths = (await routes()).flatMap((route) => all(route, /^POST (\/(?:cgi-bin|sns|wxaapi)\/.*)$/g))
    expect(paths.length).toBeGreaterThan(5)
    expect(sorted(rowsOf(page, 'path', '路径').flatMap(([path]) => wordsIn(path)))).toEqual(sorted(paths))
  })

  test('lists exactly the kinds and the fields of faults', () => {
    const { kind, match, ...others } = FaultSpec.properties
    expect(rowsOf(page, 'kind', '故障').map(([name]) => wordOf(name))).toEqual(
      kind.anyOf.map((one) => one.const),
    )
    const fields = rowsOf(page, 'field', '字段').flatMap(([name]) => wordsIn(name))
    expect(fields.sort()).toEqual(['match', ...Object.keys(others)].sort())
    const [, matched] = rowsOf(page, 'field', '字段').find(([name]) => wordOf(name) === 'match') ?? []
    expect(wordsIn(matched)).toEqual(expect.arrayContaining(Object.keys(match.properties)))
  })

  test('says of each kind whether the message is delivered all the same', () => {
    for (const [name, , outcome] of rowsOf(page, 'kind', '故障')) {
      const faults = new Faults(1)
      faults.add({ kind: wordOf(name) as FaultKind })
      const isBefore = faults.strike(CALL)?.effect === 'before'
      expect(/^(not delivered|没送达)/.test(outcome ?? ''), name).toBe(isBefore)
    }
  })
})

test.each(PAGES)('%s names calls of the sandbox that there are', async (page) => {
  const named = all(read(page), /\/sandbox\/([a-z-]+)/g)
  const known = (await routes()).flatMap((route) => all(route, / \/sandbox\/([a-z-]+)/g))
  expect(known).toEqual(expect.arrayContaining(named))
})
