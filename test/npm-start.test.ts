import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { startByNpm } from './helpers/command-line.js'
import { createTestDatabase } from './helpers/database.js'
import { eventually } from './helpers/eventually.js'

// @module-tag programs

test('npm start compiles the service and runs it without the loader, until SIGTERM ends it in order', async () => {
  const database = await createTestDatabase('sqlite')
  const running = startByNpm({
    DATABASE_URL: database.url,
    PORT: '0',
    WX_APP_ID: 'wx0123456789abcdef',
    WX_APP_SECRET: '0123456789abcdef0123456789abcdef',
    REMINDER_TEMPLATE_ID: 'template',
    REMINDER_DATA: '{"thing1":"签到"}',
  })
  const line = (event: string) => running.stderr.split('\n').find((one) => one.includes(`"event":"${event}"`))
  const started = await eventually('service.started', () => line('service.started'), 60_000)
  const { pid } = JSON.parse(started) as { pid: number }
  const command = execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })
  expect(command).toMatch(/^node --max-old-space-size=\d+ dist\/src\/main\.js serve$/m)
  running.kill('SIGTERM')
  await running.ended
  expect(line('service.stopped')).toBeDefined()
  await database.close()
}, 120_000)
