import { readdirSync, readFileSync } from 'node:fs'
import { findStrayWrites } from './writers.js'

/**
 * Part of `npm run check`: prints a line for each statement that writes to a table from outside the table's folder,
 * and exits with code 1 if there is one.
 */
const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/${name.replaceAll('\\', '/')}`)
  .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
const strays = findStrayWrites(files)
for (const line of strays) process.stderr.write(`${line}\n`)
process.exitCode = strays.length > 0 ? 1 : 0
