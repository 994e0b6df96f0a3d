import { describe, expect, test } from 'vitest'
import { SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { userIdOf, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

/** A user of a reminder. */
const isReminded = (id: number): boolean => id > 10_000

/** Of the messages that were delivered while the fewer ones were going out, the share of these. */
function shareOf(fewer: (id: number) => boolean, delivered: number[]): number {
  const places = delivered.flatMap((id, i) => (fewer(id) ? [i] : []))
  // After the first ones: a run begins with one message alone.
  const from = places[10] ?? 0
  const to = places.at(-1) ?? 0
  return (places.length - 10) / (to - from + 1)
}

describe.each(dialects)('a run and submitted messages at the same time on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })

  test.each([
    { flood: 'submitted messages', submitted: 600, due: 80 },
    { flood: 'reminders', submitted: 80, due: 600 },
  ])(
    'go out side by side, each at half of the pace, when there are many $flood',
    { tags: ['long'] },
    async ({ submitted, due }) => {
      await world.has(users(1, submitted).permits(1), users(10_001, 10_000 + due).permits(1))
      await submitTo(world, users(1, submitted).ids)
      // Until the fewer ones have been claimed the flood would take half a minute, however long that takes.
      const slow = { kind: 'latency', match: { path: SEND_PATH } } as const
      world.wechat.addFault({ ...slow, ms: 30 })
      const untilClaimed = world.wechat.addFault({ ...slow, ms: 500, after: 30 })
      const process = world.startProcess({ concurrency: 8 })
      const isFloodOfReminders = due > submitted
      const isFewer = (id: number) => isReminded(id) !== isFloodOfReminders
      const send = () => sendSubmitted(world, process)
      const remind = () => process.remind()
      const flood = isFloodOfReminders ? remind() : send()
      await eventually('the flood is under way', () => world.wechat.ledger().length > 20)
      const few = isFloodOfReminders ? send() : remind()
      await eventually('the fewer ones are under way', async () =>
        (await world.messages()).some(({ claim_id, user_id }) => claim_id > 0 && isFewer(user_id)),
      )
      world.wechat.removeFault(untilClaimed)
      expect((await few).delivered).toBe(Math.min(submitted, due))
      expect((await flood).delivered).toBe(Math.max(submitted, due))
      const delivered = world.wechat.ledger().map(({ open_id }) => userIdOf(open_id))
      const share = shareOf(isFewer, delivered)
      expect(share).toBeGreaterThan(0.35)
      expect(share).toBeLessThan(0.75)
    },
  )

  test('stop for themselves: a wrong template of the one holds up nothing of the other', async () => {
    await world.has(users(1, 20).permits(1), users(101, 120).permits(1))
    await submitTo(world, users(1, 20).ids)
    const process = world.startProcess({ concurrency: 4 })
    const account = { templateId: 'WRONG' }
    const [sent, report] = await Promise.all([sendSubmitted(world, process), process.remind({ account })])
    expect([sent.delivered, report.state]).toEqual([20, 'halted'])

    await submitTo(world, users(101, 120).ids.slice(0, 10), {
      template_id: 'WRONG',
      account: { templates: ['WRONG'] },
    })
    const [refused, again] = await Promise.all([sendSubmitted(world, process), process.remind()])
    expect([refused.delivered, again.state, again.delivered]).toEqual([0, 'done', 10])
  })
})
