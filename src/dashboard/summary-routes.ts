import type { FastifyInstance, FastifyRequest } from 'fastify'
import { USER_ID_PATTERN } from '../lib/user-id.js'
import { findFlow } from '../summaries/flow.js'
import { findForecast } from '../summaries/forecast.js'
import { findGoingDark } from '../summaries/going-dark.js'
import { findHistory } from '../summaries/history.js'
import { findStock } from '../summaries/stock.js'
import { readUserId } from '../users/persons.js'
import type { DashboardDeps } from './deps.js'
import { historyPage, PERIODS } from './history-page.js'
import { sendPage } from './page.js'
import { darkDayOf, permitsPage, RANGES } from './permits-page.js'
import type { Reader } from './reader.js'

const FLOW_DAYS = 30
const DARK_SHOWN = 50

/** Permits and History: what the summaries keep. */
export function summaryRoutes(
  app: FastifyInstance,
  { db, now }: DashboardDeps,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  app.get('/permits', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const { account } = reader
    const query = request.query as Record<string, unknown>
    const range = oneOf(RANGES, query.days)
    const forecast = await findForecast(db, account, { days: range }, now())
    const date = darkDayOf(forecast, query.dark)
    const after = afterOf(query.after)
    const [dark, stock, flow] = await Promise.all([
      date === undefined ? undefined : findGoingDark(db, account, { date, limit: DARK_SHOWN, after }, now()),
      findStock(db, account, now()),
      findFlow(db, account, { days: FLOW_DAYS }, now()),
    ])
    return sendPage(reply, reader, permitsPage(reader, { range, forecast, dark, stock, flow }))
  })

  app.get('/history', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const period = oneOf(PERIODS, (request.query as Record<string, unknown>).days)
    const history = await findHistory(db, reader.account, { days: period }, now())
    return sendPage(reply, reader, historyPage(reader, history, period))
  })
}

/** The choice that a query names; the first one if it names none. */
function oneOf(choices: readonly [number, ...number[]], asked: unknown): number {
  return choices.find((choice) => String(choice) === asked) ?? choices[0]
}

function afterOf(asked: unknown) {
  return typeof asked === 'string' && new RegExp(USER_ID_PATTERN).test(asked)
    ? readUserId(asked, 'after')
    : undefined
}
