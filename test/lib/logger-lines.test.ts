import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { createInstance } from '../../src/lib/instance.js'
import { createLogger } from '../../src/lib/logger.js'
import { programVersion } from '../../src/lib/version.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

function linesOf(write: (log: ReturnType<typeof createLogger>) => void, options = {}): object[] {
  const lines: object[] = []
  const output = { write: (line: string) => lines.push(JSON.parse(line)) }
  write(createLogger({ level: 'debug', secrets: [], output, ...options }))
  return lines
}

test('each line says which start of which version wrote it', () => {
  const instance = createInstance()
  const lines = linesOf((log) => log.info({ event: 'test.done' }), { instance })
  expect(lines).toMatchObject([{ instance: instance.id, pid: process.pid, version, event: 'test.done' }])
  expect(programVersion()).toBe(version)
})

test('an instance is named after its host, and differs from start to start', () => {
  const [one, other] = [createInstance(), createInstance()]
  expect(one.id).toMatch(/^[\w.-]{1,50}-[0-9a-f]{8}$/)
  expect(
    one.id.startsWith(
      hostname()
        .replace(/[^\w.-]/g, '_')
        .slice(0, 50),
    ),
  ).toBe(true)
  expect(one.id).not.toBe(other.id)
})

test('a level is a name', () => {
  const lines = linesOf((log) => {
    log.debug({ event: 'test.a' })
    log.info({ event: 'test.b' })
    log.warn({ event: 'test.c' })
    log.error({ event: 'test.d' })
  })
  expect(lines).toMatchObject(['debug', 'info', 'warn', 'error'].map((level) => ({ level })))
})
