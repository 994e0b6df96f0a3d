import { describe, expect, test } from 'vitest'
import { findDisagreeingEnds, findStranded } from '../../src/operations/store.js'
import { dialects } from '../helpers/database.js'
import { fillTable } from '../helpers/fill.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the audit of messages, a range of ids at a time, on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })

  test('finds what breaks a rule in every range, beyond gaps, and no more than it was asked for', async () => {
    const { db } = world
    const app_id = `'${world.account.appId}'`
    const times = { created_at: 1, updated_at: 1 }
    const ids = '1 + i * 70000 + CASE WHEN i = 3 THEN 5000000 ELSE 0 END'
    const message = { app_id, user_id: 'i', kind: "'api'", claim_id: 77, card_id: 1, state: "'sending'" }
    await fillTable(db, 'wx_push_message', { id: ids, ...message, ...times }, 4)
    const says = { template_id: "'t'", page: "''", data: "'{}'", not_before: 1, not_after: 1 }
    const submitted = { app_id, user_id: 'i', ...says, submitted_by: "'shop'", state: "'delivered'" }
    await fillTable(db, 'wx_submitted_message', { message_id: ids, ...submitted, ...times }, 4)
    const wanted = [1, 70_001, 140_001, 5_210_001]
    const idsOf = (rows: { message_id: number }[]) => rows.map(({ message_id }) => message_id)
    expect(idsOf(await findStranded(db, 10))).toEqual(wanted)
    expect(idsOf(await findDisagreeingEnds(db, 10))).toEqual(wanted)
    expect(idsOf(await findStranded(db, 2))).toEqual(wanted.slice(0, 2))
    expect(idsOf(await findDisagreeingEnds(db, 3))).toEqual(wanted.slice(0, 3))
  })
})
