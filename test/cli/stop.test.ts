import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/connect.js'
import { startCommand } from '../helpers/command-line.js'
import { eventually } from '../helpers/eventually.js'
import { startMysqlServer } from '../helpers/mysql-server.js'
import { timed } from '../helpers/stopwatch.js'
import { refusedUrl } from '../helpers/wechat.js'

test('a stop ends the service in seconds, though its database died in the middle of statements', {
  tags: ['mysql', 'programs'],
}, async () => {
  const server = await startMysqlServer()
  onTestFinished(() => server.stop())
  const root = openDatabase(server.url)
  await root.raw('CREATE DATABASE stopped CHARACTER SET utf8mb4')
  await root.destroy()
  const service = startCommand(['serve', '--migrate'], {
    DATABASE_URL: `${server.url.replace(/\/$/, '')}/stopped`,
    PORT: '0',
    WX_APP_ID: 'wx5a6d9e0c1b2f3a48',
    WX_APP_SECRET: 'the-secret-of-the-app',
    REMINDER_TEMPLATE_ID: 'template-1',
    REMINDER_DATA: '{"keyword1":"{date}"}',
    WX_API_BASE_URL: await refusedUrl(),
  })
  // A stop that is asked for during the start comes with the first looks of all jobs.
  await eventually('it starts', () => service.stderr.includes('service.starting'))
  service.kill('SIGTERM')
  await eventually('it has started', () => service.stderr.includes('service.started'))
  await server.kill()
  // A statement would be waited for half a minute, and each job has several.
  const { result, ms } = await timed(() => service.ended)
  expect(result).toMatchObject({ code: 0, signal: null })
  expect(ms).toBeLessThan(20_000)
})
