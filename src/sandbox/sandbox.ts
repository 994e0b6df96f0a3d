import type { AddressInfo } from 'node:net'
import { Ajv, type AnySchema } from 'ajv'
import Fastify from 'fastify'
import { takeName } from './callers.js'
import { SandboxControl } from './control.js'
import { controlRoutes } from './control-routes.js'
import { wechatRoutes } from './wechat-routes.js'
import { World, type WorldOptions } from './world.js'

export interface SandboxOptions extends WorldOptions {
  host?: string
  /** 0 chooses a free one. */
  port?: number
}

export interface Sandbox {
  /** The base URL, instead of https://api.weixin.qq.com. */
  url: string
  port: number
  control: SandboxControl
  close(): Promise<void>
}

/** Room for a hundred thousand form_ids in one call of the control plane. */
const BODY_LIMIT = 32 * 1024 * 1024

/**
 * As Fastify's own, except that nothing is removed. One for all sandboxes of a process, since it remembers what it has
 * compiled: 50 ms and more of each start.
 */
const ajv = new Ajv({ coerceTypes: 'array', useDefaults: true, removeAdditional: false })

/** Starts a WeChat with its real rules, faults on demand, and a record of every message that it delivered. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { host = '127.0.0.1', port = 0, ...worldOptions } = options
  const world = new World(worldOptions)
  const control = new SandboxControl(world)
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    // A hanging fault keeps its connection for ever; closing the sandbox must not wait for it.
    forceCloseConnections: true,
    rewriteUrl: takeName,
  })
  app.setValidatorCompiler<AnySchema>(({ schema }) => ajv.compile(schema))
  await app.register(controlRoutes, { prefix: '/sandbox', control })
  await app.register(wechatRoutes, { world })
  await app.listen({ host, port })
  const address = app.server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    control,
    close: () => app.close(),
  }
}
