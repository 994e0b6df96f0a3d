import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../helpers/database.js'

// @module-tag programs

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/**
 * Its packages are CommonJS, and stand in this cache however they were imported. Its API, 40 small files that do nothing
 * without the SDK, is there in any case: prom-client asks it for a span.
 */
const SCRIPT = `
import { createRequire } from 'node:module'
import { readAccount, readConfig } from './src/config/read.ts'
import { startService } from './src/service.ts'
const service = await startService(readConfig(process.env), { accounts: [readAccount(process.env)] }, { migrate: true })
await fetch(service.url + '/healthz')
await service.stop()
const loaded = Object.keys(createRequire(import.meta.url).cache)
console.log(JSON.stringify({ otel: loaded.filter((path) => path.includes('@opentelemetry') && !path.includes('@opentelemetry/api/')).length, all: loaded.length }))
process.exit()
`

async function load(env: Record<string, string>): Promise<{ otel: number; all: number }> {
  const database = await createTestDatabase('sqlite')
  const words = ['--import', '@oxc-node/core/register', '--input-type=module', '-e', SCRIPT]
  const child = spawn(process.execPath, words, {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH ?? '',
      DATABASE_URL: database.url,
      PORT: '0',
      LOG_LEVEL: 'silent',
      WX_APP_ID: 'wx0123456789abcdef',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  await once(child, 'close')
  await database.close()
  return JSON.parse(text)
}

test('no module of OpenTelemetry’s SDK is loaded unless there is a collector', async () => {
  const without = await load({})
  expect(without.otel).toBe(0)
  expect(without.all).toBeGreaterThan(100)
  expect((await load({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })).otel).toBeGreaterThan(10)
})
