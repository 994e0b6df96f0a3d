import type { Figures } from './rig/measure.js'
import { READS } from './suites/growth.js'
import { EMPTY_TABLES, GROWN_TABLES, MESSAGE_READS } from './suites/messages.js'

/** Medians of the rounds, by candidate. */
export type Medians = Map<string, Figures>

export interface Target {
  name: string
  floor: number
  aim: number
  /** Whether a smaller figure is the better one. */
  isLimit: boolean
  /** Whether it sets candidates of one run against each other, so that runs of other hours and machines compare. */
  isRatio: boolean
  figure(of: (candidate: string) => Figures): number
}

type Key = 'per_second' | 'node_us' | 'database_us' | 'rss_mb' | 'p99_ms'

function ratio(
  name: string,
  floor: number,
  aim: number,
  a: string,
  b: string,
  key: Key = 'per_second',
): Target {
  const figure: Target['figure'] = (of) => (of(a)[key] ?? Number.NaN) / (of(b)[key] ?? Number.NaN)
  return { name, floor, aim, isLimit: false, isRatio: true, figure }
}

function limit(name: string, floor: number, aim: number, figure: Target['figure']): Target {
  return { name, floor, aim, isLimit: true, isRatio: false, figure }
}

function limitOfRatio(name: string, floor: number, aim: number, figure: Target['figure']): Target {
  return { ...limit(name, floor, aim, figure), isRatio: true }
}

/** What the service is held to: a ratio between candidates of one run says more than a figure of one machine. */
export const TARGETS: Target[] = [
  ratio('daily run / raw dispatch, 0 ms, c=64', 0.35, 0.5, 'daily run, 0 ms', 'raw dispatch, 0 ms'),
  ratio('daily run / raw dispatch, 50 ms, c=512', 0.85, 0.95, 'daily run, 50 ms', 'raw dispatch, 50 ms'),
  ratio('daily run / article unbounded', 5, 8, 'daily run, 0 ms', 'article unbounded, 0 ms'),
  ratio('daily run / article sequential', 15, 25, 'daily run, 0 ms', 'article sequential, 0 ms'),
  ratio('daily run / BullMQ with bookkeeping', 8, 15, 'daily run, 0 ms', 'BullMQ with bookkeeping, 0 ms'),
  limit('CPU of node a user, us', 65, 45, (of) => of('daily run, 0 ms').node_us),
  limit('CPU of the database a user, us', 45, 30, (of) => of('daily run, 0 ms').database_us),
  ratio('2 processes / 1, 50 ms, c=64', 1.9, 1.95, 'daily run, 2 processes', 'daily run, 1 process'),
  ratio('4 processes / 1, 50 ms, c=64', 3.2, 3.6, 'daily run, 4 processes', 'daily run, 1 process'),
  limitOfRatio(
    'daily run beside an account that hangs: time / alone',
    1.1,
    1.03,
    (of) =>
      of('daily run in the service, alone').per_second /
      of('daily run in the service, beside one that hangs').per_second,
  ),
  ratio('uploads / bare Fastify, c=64', 0.25, 0.4, 'uploads', 'bare Fastify'),
  ratio('uploads / article, c=64', 4, 6, 'uploads', 'article uploads'),
  ratio('uploads by 100 / single', 7.5, 15, 'uploads by 100', 'uploads'),
  limit('uploads by 100: p99, ms', 250, 250, (of) => of('uploads by 100').p99_ms ?? Number.NaN),
  ratio('sweep / one transaction', 0.25, 0.5, 'sweep', 'sweep in one transaction'),
  limitOfRatio(
    'uploads beside the sweep: p99 / alone',
    2,
    1.5,
    (of) => (of('uploads beside the sweep').p99_ms ?? Number.NaN) / (of('uploads').p99_ms ?? Number.NaN),
  ),
  ratio('SQLite / MariaDB, daily run', 1, 2, 'daily run on SQLite', 'daily run, 0 ms'),
  ratio('SQLite / MariaDB, uploads', 1, 2, 'uploads on SQLite', 'uploads'),
]

/** CPU of node and database for each user who was reached: it does not matter here which of them works more. */
const costOf = ({ node_us, database_us }: Figures): number => node_us + database_us

const PLAIN = 'daily run, plain'
const MANY = 'daily run, 1 M users'
const GROWN = [
  'daily run, 30 days of history',
  'daily run, 90 % signed in',
  'daily run, 90 % without a valid permit',
  'daily run, 10 M settled messages',
]

/** What growing tables may cost. */
export const GROWTH_TARGETS: Target[] = [
  limit('slowest call or page with 1 M users, p99, ms', 100, 50, (of) =>
    Math.max(...READS.map(({ name }) => of(name).p99_ms ?? Number.NaN)),
  ),
  limit('slowest call or page beside 1 M submitted messages that wait, p99, ms', 100, 50, (of) =>
    Math.max(...MESSAGE_READS.map(({ name }) => of(name).p99_ms ?? Number.NaN)),
  ),
  ...['submitted', 'submitted by 100', 'delivered'].map((work) =>
    limitOfRatio(
      `cost of a message that is ${work}, beside 1 M that ended and 1 M that wait / on empty tables`,
      1.3,
      1.1,
      (of) => costOf(of(`${GROWN_TABLES}, ${work}`)) / costOf(of(`${EMPTY_TABLES}, ${work}`)),
    ),
  ),
  limit('peak memory with 1 M users, MB', 200, 150, (of) => of(MANY).rss_mb),
  limitOfRatio('cost a user, 1 M / 50 k', 1.1, 1.05, (of) => costOf(of(MANY)) / costOf(of(PLAIN))),
  ...GROWN.flatMap((name) => [
    limitOfRatio(
      `cost a user reached, ${name.slice('daily run, '.length)} / plain`,
      1.3,
      1.15,
      (of) => costOf(of(name)) / costOf(of(PLAIN)),
    ),
    limitOfRatio(
      `peak memory, ${name.slice('daily run, '.length)} / plain`,
      1.1,
      1.05,
      (of) => of(name).rss_mb / of(PLAIN).rss_mb,
    ),
  ]),
  limit('statements above 200 ms, all of these', 0, 0, (of) =>
    [PLAIN, MANY, ...GROWN].reduce((sum, name) => sum + (of(name).slow_statements ?? Number.NaN), 0),
  ),
]

export type Standing = 'aim' | 'floor' | 'missed' | 'not measured'

export function standingOf({ floor, aim, isLimit }: Target, figure: number): Standing {
  if (Number.isNaN(figure)) return 'not measured'
  const reaches = (mark: number): boolean => (isLimit ? figure <= mark : figure >= mark)
  if (reaches(aim)) return 'aim'
  return reaches(floor) ? 'floor' : 'missed'
}
