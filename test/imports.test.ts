import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'

// @module-tag programs

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

test('importing any module but main starts nothing: no output, no listener, and the process ends', () => {
  const modules = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && name !== 'main.ts',
  )
  expect(modules.length).toBeGreaterThan(100)
  const urls = modules.map((name) => pathToFileURL(`${SRC}/${name}`).href)
  const script = `
    const before = process.eventNames().length
    for (const url of ${JSON.stringify(urls)}) await import(url)
    if (process.eventNames().length !== before) console.log('listeners were added: ' + process.eventNames())`
  const ended = spawnSync(
    process.execPath,
    ['--import', '@oxc-node/core/register', '--input-type=module', '-e', script],
    { cwd: SRC, env: { PATH: process.env.PATH, WX_APP_ID: '' }, timeout: 150_000, encoding: 'utf8' },
  )
  expect({ status: ended.status, signal: ended.signal, stdout: ended.stdout, stderr: ended.stderr }).toEqual({
    status: 0,
    signal: null,
    stdout: '',
    stderr: '',
  })
})
