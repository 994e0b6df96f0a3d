import type { Knex } from 'knex'
import { beforeAll, describe, expect, test } from 'vitest'
import { isSqlite } from '../../src/db/sql.js'
import { takeOver } from '../../src/messages/recovery.js'
import { findDisagreeingEnds, findStranded } from '../../src/operations/store.js'
import { deleteSubmitted, readAged, readMessages } from '../../src/retention/store.js'
import { cancelMessage } from '../../src/submitted/cancel.js'
import { findOldestDue } from '../../src/submitted/due-store.js'
import { requeueMany } from '../../src/submitted/requeue-many.js'
import { findMessage, listMessages } from '../../src/submitted/status.js'
import { eraseSubmitted } from '../../src/user-data/erase-store.js'
import { HOUR_MS, NOW, TEMPLATE_ID } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { analyze, fillTable, rowsFor } from '../helpers/fill.js'
import { type Access, explain, longest, on, type Statement, sorted } from '../helpers/plans.js'
import { recordQueries } from '../helpers/rows.js'
import { openMeter } from '../helpers/rows-read.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { openIdOf, users } from '../helpers/users.js'
import { useWorld, type World } from '../helpers/world.js'

/** Beside so many settled messages, and a backlog that waits. */
const SETTLED = { mysql: 100_000, sqlite: 5_000 }
const BACKLOG = 1_000
/** Ids from here on are those of the test. */
const FIRST_USER = 500_000

const COUNTERS = { mysql: 'PRIMARY', sqlite: 'wx_message_push_status_user_uq' }
const PERMIT_ID = { mysql: 'wx_save_form_id_id_uq', sqlite: 'PRIMARY' }

/**
 * `reads`: the most rows and index entries that MySQL may read. 100 messages are submitted, sent or cancelled at a
 * time.
 */
const HOT: { name: string; sql: RegExp; accesses: Access[]; reads?: number }[] = [
  {
    name: 'the request of a key',
    sql: /SELECT key_hash, body_hash, answer FROM wx_submission/,
    reads: 2,
    accesses: [
      { table: 'wx_submission', key: 'wx_submission_key_uq', by: ['app_id', 'submitted_by', 'key_hash'] },
    ],
  },
  {
    name: 'what keeps messages from users',
    sql: /THEN stop_template_id END AS template_id FROM wx_user/,
    reads: 300,
    accesses: [{ table: 'wx_user', key: 'wx_user_user_idx', by: ['app_id', 'user_id'] }],
  },
  {
    name: 'permits of new messages',
    sql: /SELECT p\.user_id, \(SELECT f\.id FROM wx_save_form_id f[^;]*p\.user_id IN/,
    reads: 500,
    accesses: [
      { table: 'p', key: COUNTERS, by: ['app_id', 'user_id'] },
      { table: 'f', key: 'wx_save_form_id_oldest_idx', by: ['app_id', 'user_id'] },
    ],
  },
  {
    name: 'messages of users that are not settled',
    sql: /SELECT user_id, COUNT\(\*\) AS messages/,
    reads: 500,
    accesses: [
      {
        table: 'wx_submitted_message',
        key: 'wx_submitted_message_open_idx',
        by: ['app_id', 'user_id', 'state'],
      },
    ],
  },
  {
    name: 'ids of new messages',
    sql: /SELECT id FROM wx_push_message.*\s+WHERE claim_id = \? AND kind = 'api'/,
    reads: 300,
    accesses: [{ table: 'wx_push_message', key: 'wx_push_message_claim_idx', by: ['claim_id'] }],
  },
  {
    name: 'spending of their permits',
    sql: /^UPDATE (wx_save_form_id AS f|wx_push_message m STRAIGHT_JOIN wx_save_form_id f)/,
    accesses: [
      { table: 'm', key: 'PRIMARY' },
      { table: 'f', key: PERMIT_ID },
    ],
  },
  {
    name: 'whether there is work',
    sql: /AS overdue/,
    reads: 20,
    accesses: [
      {
        table: 'wx_message_retry',
        key: 'wx_message_retry_due_idx',
        by: ['app_id', 'kind', 'next_attempt_at'],
      },
      { table: 'wx_claim', key: 'wx_claim_lease_idx', by: ['app_id', 'kind', 'lease_until'] },
      {
        table: 's',
        key: 'wx_submitted_message_expiry_idx',
        by: ['app_id', 'state', 'not_after'],
      },
      { table: 'w', key: 'PRIMARY' },
    ],
  },
  {
    name: 'the oldest one whose time has come',
    sql: /SELECT next_attempt_at FROM wx_message_retry/,
    reads: 1,
    accesses: [{ table: 'wx_message_retry', key: 'wx_message_retry_due_idx', by: ['app_id', 'kind'] }],
  },
  {
    name: 'messages that have not left by their not_after',
    sql: /ORDER BY s\.not_after LIMIT/,
    reads: 20,
    accesses: [
      { table: 's', key: 'wx_submitted_message_expiry_idx', by: ['app_id', 'state', 'not_after'] },
      { table: 'w', key: 'PRIMARY' },
    ],
  },
  {
    name: 'messages whose time has come',
    sql: /SELECT message_id FROM wx_message_retry.*\s+WHERE app_id = \? AND kind = 'api' AND submitted_by = \?/,
    reads: 300,
    accesses: [
      {
        table: 'wx_message_retry',
        key: 'wx_message_retry_turn_idx',
        by: ['app_id', 'kind', 'submitted_by', 'next_attempt_at'],
      },
    ],
  },
  {
    name: 'the next backend that has a message waiting',
    sql: /SELECT submitted_by FROM wx_message_retry.*\s+.* AND submitted_by > \?/,
    reads: 2,
    accesses: [
      {
        table: 'wx_message_retry',
        key: 'wx_message_retry_turn_idx',
        by: ['app_id', 'kind', 'submitted_by'],
      },
    ],
  },
  {
    name: 'their waits',
    sql: /SELECT message_id AS id, kind FROM wx_message_retry/,
    accesses: [{ table: 'wx_message_retry', key: 'PRIMARY' }],
  },
  {
    name: 'when they were first taken',
    sql: /SET claimed_at = \?/,
    accesses: [{ table: 'wx_submitted_message', key: 'PRIMARY' }],
  },
  {
    name: 'attempts that broke off',
    sql: /SELECT id, permit_id, 'interrupted'/,
    accesses: [{ table: 'wx_push_message', key: 'PRIMARY' }],
  },
  {
    name: 'what is to be sent',
    sql: /AS addressed_to/,
    reads: 800,
    accesses: [
      { table: 'm', key: 'PRIMARY' },
      { table: 'c', key: 'PRIMARY' },
      { table: 'f', key: PERMIT_ID },
      { table: 's', key: 'PRIMARY' },
    ],
  },
  {
    name: 'lock of what is settled',
    sql: /SELECT id, claim_id FROM wx_push_message WHERE id IN/,
    accesses: [{ table: 'wx_push_message', key: 'PRIMARY' }],
  },
  {
    name: 'how they ended',
    sql: /UPDATE wx_submitted_message.* SET state = \?, updated_at/,
    accesses: [{ table: 'wx_submitted_message', key: 'PRIMARY' }],
  },
  {
    name: 'messages with their attempts',
    sql: /s\.state AS ended/,
    reads: 800,
    accesses: [
      { table: 's', key: { mysql: 'PRIMARY', sqlite: 'wx_submitted_message_app_idx' } },
      { table: 'm', key: 'PRIMARY' },
      { table: 'c', key: 'PRIMARY' },
      { table: 'f', key: PERMIT_ID },
      { table: 'w', key: 'PRIMARY' },
    ],
  },
  {
    name: 'attempts of messages',
    sql: /FROM wx_message_attempt\s+WHERE message_id IN/,
    reads: 700,
    accesses: [{ table: 'wx_message_attempt', key: 'wx_message_attempt_message_idx' }],
  },
  ...(
    [
      ['of all', /WHERE s\.app_id = \? AND s\.message_id </, 'wx_submitted_message_app_idx', []],
      ['of a state', /AND s\.state = \? AND s\.message_id </, 'wx_submitted_message_state_idx', ['state']],
      ['of a user', /AND s\.user_id = \? AND s\.message_id </, 'wx_submitted_message_user_idx', ['user_id']],
      [
        'of a template',
        /s\.app_id = \? AND s\.template_id = \? AND s\.message_id </,
        'wx_submitted_message_template_idx',
        ['template_id'],
      ],
    ] as const
  ).map(([name, sql, key, by]) => ({
    name: `a page ${name}`,
    sql,
    reads: 2_010,
    accesses: [
      { table: 's', key, by: ['app_id', ...by, 'message_id'] },
      { table: 'm', key: 'PRIMARY' },
    ],
  })),
  {
    name: 'dead letters',
    sql: /s\.state = 'dead' AND s\.message_id >/,
    reads: 300,
    accesses: [
      { table: 's', key: 'wx_submitted_message_state_idx', by: ['app_id', 'state', 'message_id'] },
      { table: 'm', key: 'PRIMARY' },
    ],
  },
  {
    name: 'a dead letter that is queued again',
    sql: /UPDATE wx_push_message.* SET state = 'queued', permit_id/,
    accesses: [{ table: 'wx_push_message', key: 'PRIMARY' }],
  },
  {
    name: 'dead letters that are dead still',
    sql: /SELECT m\.id FROM wx_push_message m.*\s+.*ON s\.message_id = m\.id\s+WHERE m\.id IN/,
    reads: 10,
    accesses: [
      { table: 'm', key: 'PRIMARY' },
      { table: 's', key: 'PRIMARY' },
    ],
  },
  {
    name: 'its row of a submitted message',
    sql: /UPDATE wx_submitted_message.* SET state = 'open'/,
    accesses: [{ table: 'wx_submitted_message', key: 'PRIMARY' }],
  },
  {
    name: 'keys for the purge',
    sql: /SELECT id FROM wx_submission WHERE app_id = \? AND created_at </,
    reads: 600,
    accesses: [{ table: 'wx_submission', key: 'wx_submission_created_idx', by: ['app_id', 'created_at'] }],
  },
  {
    name: 'messages of no run for the purge',
    sql: /SELECT id, created_at, CASE WHEN app_id = \? AND settled_at/,
    reads: 600,
    accesses: [{ table: 'wx_push_message', key: 'wx_push_message_run_idx', by: ['run_id'] }],
  },
  {
    name: 'texts that an erasure takes',
    sql: /UPDATE wx_submitted_message.* SET data/,
    accesses: [{ table: 'wx_submitted_message', key: 'PRIMARY' }],
  },
  {
    name: 'attempts that an erasure takes from',
    sql: /UPDATE wx_message_attempt.* SET errmsg/,
    accesses: [{ table: 'wx_message_attempt', key: 'wx_message_attempt_message_idx' }],
  },
]

describe.each(dialects)('statements of submitted messages on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'its rows' })
  let statements: Statement[]

  beforeAll(async () => {
    await fill(world.db, world.account.appId)
    statements = await runEverything(world)
  })

  test.each(HOT)('$name', async ({ sql, accesses }) => {
    const statement = longest(statements.filter((each) => sql.test(each.sql)))
    const plan = await explain(world.db, statement)
    const wanted = on(dialect, accesses)
    expect(sorted(plan)).toEqual(sorted(wanted))
    for (const { table, by = [] } of wanted)
      for (const access of plan.filter((one) => one.table === table))
        expect(access.by).toEqual(expect.arrayContaining(by))
  })

  if (dialect === 'mysql')
    test.each(HOT.filter(({ reads }) => reads !== undefined))(
      '$name: at most $reads rows and index entries beside a hundred thousand settled messages',
      async ({ sql, reads }) => {
        const { sql: text, bindings } = longest(statements.filter((each) => sql.test(each.sql)))
        const meter = openMeter(world.database)
        try {
          await meter.db.raw('BEGIN')
          const read = await meter.rowsRead(() =>
            Promise.resolve(meter.db.raw(text, bindings as Knex.RawBinding[])),
          )
          await meter.db.raw('ROLLBACK')
          expect(read).toBeLessThanOrEqual(reads ?? 0)
        } finally {
          await meter.close()
        }
      },
    )

  test('none reads a table in full', async () => {
    const texts = new Map(statements.map((one) => [one.sql.replace(/(\?,\s*)+\?/g, '?'), one]))
    const full: string[] = []
    for (const statement of texts.values())
      if ((await explain(world.db, statement)).some(({ key }) => key === undefined)) full.push(statement.sql)
    expect(full).toEqual([])
    expect(texts.size).toBeGreaterThan(25)
  })
})

async function fill(db: Knex, appId: string): Promise<void> {
  const app_id = `'${appId}'`
  const settled = rowsFor(db, SETTLED)
  const message = { app_id, user_id: 'i % 20000', kind: "'api'", card_id: 1, created_at: 1, updated_at: 1 }
  const submitted = {
    app_id,
    page: "''",
    data: "'{}'",
    not_before: 1,
    submitted_by: "'shop'",
    created_at: 1,
    updated_at: 1,
  }
  const states = "CASE WHEN i % 50 = 0 THEN 'failed' ELSE 'delivered' END"
  const ended = { claim_id: '10000000 + i / 100', state: states, settled_at: `${NOW} + i` }
  // An empty table is read in full, whatever its keys are.
  await fillTable(db, 'wx_claim', { app_id: "'another'", lease_until: NOW, created_at: NOW }, 200)
  await fillTable(db, 'wx_push_message', { id: 'i + 1', ...message, ...ended }, settled)
  await fillTable(
    db,
    'wx_submitted_message',
    {
      message_id: 'i + 1',
      ...submitted,
      user_id: 'i % 20000',
      template_id: "CASE WHEN i % 3 = 0 THEN 'other' ELSE 'most' END",
      state: states,
      not_after: 'i + 1',
    },
    settled,
  )
  await fillTable(
    db,
    'wx_message_attempt',
    { message_id: 'i + 1', permit_id: 1, outcome: "'accepted'", ended_at: 1 },
    settled,
  )
  const waits = { message_id: `i + ${settled + 1}` }
  await fillTable(
    db,
    'wx_push_message',
    { id: waits.message_id, ...message, claim_id: 20_000_000, state: "'queued'" },
    BACKLOG,
  )
  await fillTable(
    db,
    'wx_submitted_message',
    { ...waits, ...submitted, user_id: 'i', template_id: "'most'", state: "'open'", not_after: `${2 * NOW}` },
    BACKLOG,
  )
  await fillTable(
    db,
    'wx_message_retry',
    { ...waits, app_id, kind: "'api'", submitted_by: "'shop'", next_attempt_at: `${NOW} + 7 * 86400000` },
    BACKLOG,
  )
  const key = isSqlite(db) ? "'key-' || i" : "CONCAT('key-', i)"
  await fillTable(
    db,
    'wx_submission',
    {
      app_id,
      submitted_by: "'shop'",
      key_hash: key,
      body_hash: "'b'",
      answer: "'{}'",
      created_at: `${NOW} + i`,
    },
    settled / 5,
  )
  const permit = { app_id, open_id: 'i', user_id: 'i', form_id: key, expire: 1, status: 1 }
  await fillTable(db, 'wx_save_form_id', { ...permit, created_at: 1, updated_at: 1 }, settled / 5)
  await fillTable(db, 'wx_message_push_status', { app_id, user_id: 'i', count: 0 }, settled / 5)
  await fillTable(
    db,
    'wx_user',
    { app_id, open_id: 'i', user_id: 'i', created_at: 1, updated_at: 1 },
    settled / 5,
  )
  await fillTable(db, 'wx_webhook', { app_id: key, created_at: 1 }, 1_000)
  await fillTable(
    db,
    'wx_webhook_delivery',
    {
      app_id,
      message_id: 'i + 1',
      event: "'delivered'",
      state: "'delivered'",
      next_attempt_at: 1,
      created_at: 1,
    },
    settled / 5,
  )
  const card = { app_id, channel: "'form_id'", template_id: "'t'", page: "''", data: "'{}'", created_at: 1 }
  await fillTable(db, 'wx_card', { ...card, card_key: 'i' }, 1_000)
}

const TABLES = [
  'wx_push_message',
  'wx_submitted_message',
  'wx_message_attempt',
  'wx_message_retry',
  'wx_submission',
  'wx_save_form_id',
  'wx_message_push_status',
  'wx_user',
  'wx_card',
  'wx_webhook',
  'wx_webhook_delivery',
]

/** All that is done with submitted messages, and what the database was asked for it. */
async function runEverything(world: World): Promise<Statement[]> {
  const { db, account, clock, wechat } = world
  const { appId } = account
  const first = FIRST_USER
  await world.has(users(first, first + 299).permits(2))
  await analyze(db, ...TABLES)
  const queries = recordQueries(db)
  const process = world.startProcess({ db })
  const hundred = (n: number) => users(first + 100 * n, first + 100 * n + 99).ids
  const sent = await submitTo(world, hundred(0))
  for (const userId of [first, first + 1])
    wechat.addFault({ kind: 'errcode', errcode: 47003, times: 3, match: { open_id: openIdOf(userId) } })
  for (let attempt = 0; attempt < 6; attempt++) {
    await sendSubmitted(world, process)
    clock.advance(HOUR_MS)
  }
  const later = { not_before: clock.now() + HOUR_MS, not_after: clock.now() + 2 * HOUR_MS }
  await submitTo(world, hundred(1), later)
  clock.advance(3 * HOUR_MS)
  await sendSubmitted(world, process)
  const [waiting] = await submitTo(world, hundred(2))
  await findOldestDue(db, appId)
  await cancelMessage(db, appId, waiting?.id ?? 0, clock.now())
  await takeOver(db, account, { kind: 'api', limit: 100, leaseMs: 15_000, now: clock.now() })
  await world.lapseLeases()
  await sendSubmitted(world, process)
  const { signal } = new AbortController()
  const options = { notAfter: clock.now() + HOUR_MS, signal, now: clock.now }
  await requeueMany(db, account, { all: true }, options)
  await findMessage(db, appId, sent[0]?.id ?? 0)
  for (const filter of [{}, { state: 'delivered' }, { userId: 7 }, { templateId: 'most' }] as const)
    await listMessages(db, appId, { ...filter, limit: 100 })
  await listMessages(db, appId, {
    state: 'dead',
    templateId: TEMPLATE_ID,
    limit: 100,
    before: rowsFor(db, SETTLED),
  })
  const ids = sent.map(({ id }) => id)
  await db.transaction((trx) => eraseSubmitted(trx, ids))
  const wanted = { appId, before: NOW, limit: 500 }
  await readAged(db, 'wx_submission', { ...wanted, before: 2 * NOW })
  await readMessages(db, null, 0, wanted)
  await db.transaction((trx) => deleteSubmitted(trx, ids))
  const asked = queries.filter(({ sql }) => /^[\s(]*(SELECT|UPDATE|DELETE|INSERT[^;]*\sSELECT)/i.test(sql))
  expect(await findStranded(db, 10)).toEqual([])
  expect(await findDisagreeingEnds(db, 10)).toEqual([])
  return asked
}
