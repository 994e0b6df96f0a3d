import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { all, read } from './pages.js'

const page = read('CONTRIBUTING.md')

test('the map of CONTRIBUTING names every folder and file at the top of src', () => {
  const linked = new Set(all(page, /\]\(src\/([\w.-]+)/g))
  const there = readdirSync(new URL('../../src/', import.meta.url)).filter((name) => !name.startsWith('.'))
  expect([...linked].sort()).toEqual(there.sort())
})

test('the map of CONTRIBUTING lists the layers in the order that the check enforces', () => {
  const layers = all(read('dependency-rules.cjs'), /^ {2}\[('[^\]]+)\],$/gm).map((line) =>
    all(line, /'([^']+)'/g),
  )
  const layerOf = (name: string) => layers.findIndex((layer) => layer.includes(name.replace(/\.ts$/, '')))
  const rows = all(page, /^\| (\*{0,2}\[src.*?) \|/gm).map((cell) =>
    all(cell, /\]\(src\/([\w.-]+)/g).map(layerOf),
  )
  const lowest = rows.map((row) => Math.min(...row))
  expect(lowest.length).toBeGreaterThan(10)
  expect(lowest).not.toContain(-1)
  expect(lowest).toEqual([...lowest].sort((a, b) => a - b))
})

test('each of the rules that always hold has its number', () => {
  expect(all(page, /^(\d+)\. /gm).map(Number)).toEqual(Array.from({ length: 17 }, (_, i) => i + 1))
})
