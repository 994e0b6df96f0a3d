import { describe, expect, onTestFinished, test } from 'vitest'
import { BLOCK } from '../../src/db/together.js'
import { createIntake } from '../../src/submitted/intake.js'
import { readSubmission } from '../../src/submitted/read-request.js'
import type { Item } from '../../src/submitted/schemas.js'
import { TEMPLATE_ID } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openPool, recordQueries } from '../helpers/rows.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

/** Of a request alone, with its BEGIN and COMMIT: MariaDB takes the last four writes as one block. */
const STATEMENTS_OF_ONE = { sqlite: 18, mysql: 15 }

const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

describe.each(dialects)('requests that come at once, on %s', (dialect) => {
  const world = useWorld(dialect)

  /** A process that takes them. */
  function open(db = world.db) {
    const intake = createIntake(db, world.account)
    return (userId: number, key: string, changes: Partial<Item> = {}) => {
      const body = {
        user_id: userId,
        template_id: TEMPLATE_ID,
        data: { keyword1: '您的包裹已到', keyword2: '取件码 8-2-1024', keyword4: '今天' },
        ...changes,
      }
      return intake.submit(
        readSubmission(world.account, { submittedBy: 'shop', key, body }, world.clock.now()),
      )
    }
  }
  const code = (code: string) => expect.objectContaining({ code })
  const settled = (calls: Promise<unknown>[]) =>
    Promise.all(calls.map((call) => call.catch((error: unknown) => error)))

  test('are stored in one transaction, each with a message and a permit of its own', async () => {
    await world.has(users(1, 40).permits(2))
    const submit = open()
    await submit(1, 'first')
    const queries = recordQueries(world.db)
    const answers = await Promise.all(from(2, 40).map((id) => submit(id, `key-${id}`)))
    expect(queries.length).toBeLessThanOrEqual(STATEMENTS_OF_ONE.sqlite + 2)
    expect(new Set(answers.map((answer) => 'id' in answer && answer.id)).size).toBe(39)
    const messages = await world.messages()
    expect(new Set(messages.map(({ permit_id }) => permit_id)).size).toBe(40)
    expect(messages.map(({ user_id }) => user_id)).toEqual(from(1, 40))
  })

  test('cost no more statements than these when one comes alone', async () => {
    await world.has(user(1).permits(2))
    const submit = open()
    await submit(1, 'first')
    const queries = recordQueries(world.db)
    await submit(1, 'second')
    const isMariadb = queries.some(({ sql }) => sql.startsWith(BLOCK))
    expect(queries.map(({ sql }) => sql)).toHaveLength(STATEMENTS_OF_ONE[isMariadb ? 'mysql' : 'sqlite'])
  })

  test('get the same answer with the same key and body, and 409 with another body', async () => {
    await world.has(user(1).permits(5))
    const submit = open()
    const [first, same, other, again] = await settled([
      submit(1, 'key'),
      submit(1, 'key'),
      submit(1, 'key', { page: 'pages/other' }),
      submit(1, 'key'),
    ])
    expect(first).toMatchObject({ state: 'queued' })
    expect([same, again]).toEqual([first, first])
    expect(other).toEqual(code('idempotency_conflict'))
    expect(await world.messages()).toHaveLength(1)
    expect(await world.counterOf(1)).toMatchObject({ count: 4 })
  })

  test('get the key of one that was refused', async () => {
    await world.has(user(1).permits(30))
    const submit = open()
    await Promise.all(Array.from({ length: 20 }, (_, i) => submit(1, `key-${i}`)))
    expect(
      await settled([
        submit(1, 'one too many'),
        submit(2, 'one too many'),
        submit(1, 'bad', { template_id: 'STRANGER' }),
        submit(3, 'bad'),
      ]),
    ).toEqual([
      code('too_many_messages'),
      expect.objectContaining({ state: 'no_permit' }),
      code('unknown_template'),
      expect.objectContaining({ state: 'no_permit' }),
    ])
  })

  test('to a user share what room that user has', async () => {
    await world.has(user(1).permits(30))
    const submit = open()
    const answers = await settled(Array.from({ length: 25 }, (_, i) => submit(1, `key-${i}`)))
    expect(answers.slice(0, 20)).toEqual(
      answers.slice(0, 20).map(() => expect.objectContaining({ state: 'queued' })),
    )
    expect(answers.slice(20)).toEqual(answers.slice(20).map(() => code('too_many_messages')))
    expect(await world.counterOf(1)).toMatchObject({ count: 10 })
  })

  test('are the same for two processes, of which the first to commit decides', async () => {
    await world.has(user(1).permits(5))
    const db = dialect === 'mysql' ? openPool(world.database) : world.db
    if (db !== world.db) onTestFinished(() => db.destroy())
    const [here, there] = [open(), open(db)]
    const keys = Array.from({ length: 4 }, (_, i) => `key-${i}`)
    const both = await Promise.all(keys.map(async (key) => Promise.all([here(1, key), there(1, key)])))
    for (const [one, other] of both) expect(one).toEqual(other)
    expect(await world.messages()).toHaveLength(4)
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
  })

  test.runIf(dialect === 'mysql')('do not wait for one whose rows somebody holds', async () => {
    await world.has(users(1, 20).permits(1))
    const holder = await openPool(world.database).transaction()
    onTestFinished(async () => {
      await holder.rollback()
      await holder.client.destroy()
    })
    await holder('wx_message_push_status').where({ user_id: 7 }).forUpdate()
    const submit = open()
    const done: number[] = []
    const calls = from(1, 20).map((id) =>
      submit(id, `key-${id}`).then((answer) => {
        done.push(id)
        return answer
      }),
    )
    await Promise.all(calls.filter((_, i) => i !== 6))
    expect(done).toHaveLength(19)
    await holder.rollback()
    expect(await calls[6]).toMatchObject({ state: 'queued' })
  })
})
