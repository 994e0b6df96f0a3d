import { SWEEPS, UPLOADS } from './permits.js'
import { RUNS } from './runs.js'
import type { Candidate } from './suite.js'

/** This service beside others. */
export const SIDE_BY_SIDE: Candidate[] = [...RUNS, ...UPLOADS, ...SWEEPS]

/** Of those, the ones of a quick run: both sides of the ratios that a change of the code is likely to move. */
const QUICK_NAMES = [
  'raw dispatch, 0 ms',
  'daily run, 0 ms',
  'article unbounded, 0 ms',
  'BullMQ with bookkeeping, 0 ms',
  'daily run on SQLite',
  'bare Fastify',
  'uploads',
  'article uploads',
  'uploads by 100',
  'sweep',
  'sweep in one transaction',
]
export const QUICK_SIDE_BY_SIDE = SIDE_BY_SIDE.filter(({ name }) => QUICK_NAMES.includes(name))
