import { describe, expect, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { execute } from '../../src/db/sql.js'
import { APP_ID, APP_SECRET, HOUR_MS, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('dead letters on the command line, on %s', (dialect) => {
  const world = useWorld(dialect)

  async function call(...words: string[]): Promise<{ code: number; answer: unknown }> {
    let stdout = ''
    const streams = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: () => true } }
    const env = { DATABASE_URL: world.database.url, WX_APP_ID: APP_ID, WX_APP_SECRET: APP_SECRET }
    const code = await run(['node', 'reminder', ...words, '--json'], env, streams)
    return { code, answer: JSON.parse(stdout) }
  }

  test('are listed, and queued again by their ids, or all that met a code', async () => {
    // The command line has the real clock.
    world.clock.set(Date.now())
    await world.has(users(1, 4).permits(2))
    const [first, ...others] = (await submitTo(world, users(1, 4).ids)).map(({ id }) => id)
    const process = world.startProcess()
    world.wechat.addFault({ kind: 'errcode', errcode: 47003, match: { path: SEND_PATH } })
    for (let i = 0; i < 3; i++) {
      await sendSubmitted(world, process)
      world.clock.set(world.clock.now() + HOUR_MS)
    }
    world.wechat.clearFaults()
    const { answer: listed } = await call('messages', '--state', 'dead')
    expect((listed as { items: { id: number }[] }).items.map(({ id }) => id).sort()).toEqual(
      [first, ...others].sort(),
    )
    expect(await call('requeue', '--all', '--errcode', '40037')).toMatchObject({ answer: { queued: [] } })
    expect(await call('requeue', String(first))).toMatchObject({ code: 0, answer: { queued: [first] } })
    expect(await call('requeue', String(first))).toMatchObject({
      answer: { queued: [], refused: [{ id: first, code: 'message_not_dead' }] },
    })
    expect(await call('requeue')).toMatchObject({ code: 1, answer: { error: { code: 'invalid_request' } } })
    await execute(world.db, 'UPDATE wx_submitted_message SET not_after = 5 WHERE message_id = ?', [
      others[0] ?? 0,
    ])
    expect(await call('requeue', '--all', '--errcode', '47003')).toMatchObject({
      answer: { queued: others.slice(1), refused: [{ id: others[0], code: 'message_expired' }] },
    })
    expect(await call('requeue', '--all', '--hours', '24')).toMatchObject({ answer: { queued: [others[0]] } })
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 4 })
  })
})
