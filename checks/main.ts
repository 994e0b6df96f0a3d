import { readdirSync, readFileSync } from 'node:fs'
import { lintApi, readApiDescription } from './openapi.js'
import { findStrayWrites } from './writers.js'

/**
 * Part of `npm run check`: prints a line for each statement that writes to a table from outside the table's folder,
 * and for each fault of the API description, and exits with code 1 if there is one.
 */
const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/${name.replaceAll('\\', '/')}`)
  .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
const faults = [...findStrayWrites(files), ...(await lintApi(await readApiDescription()))]
for (const line of faults) process.stderr.write(`${line}\n`)
process.exitCode = faults.length > 0 ? 1 : 0
