import { describe, expect, onTestFinished, test } from 'vitest'
import { databaseNow, execute } from '../../src/db/sql.js'
import { createInstance } from '../../src/lib/instance.js'
import { createLogger } from '../../src/lib/logger.js'
import { findInstances, startPresence } from '../../src/operations/instances.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { silentLog } from '../helpers/rows.js'

const MINUTE = 60_000

describe.each(dialects)('on %s', (dialect) => {
  const database = useDatabase(dialect)

  /** A process that is there until the end of the test. */
  async function appear({ appId = 'wxA', heartbeatMs = 60_000, log = silentLog } = {}) {
    const instance = createInstance()
    const presence = await startPresence({ db: database.db, log, heartbeatMs }, () => [appId], instance)
    onTestFinished(presence.end)
    return { id: instance.id, instance, ...presence }
  }

  /** As if the process had last been seen that long ago. */
  const setSeen = (id: string, msAgo: number) =>
    execute(
      database.db,
      `UPDATE wx_instance SET seen_at = ${databaseNow(database.db)} - ? WHERE instance_id = ?`,
      [msAgo, id],
    )
  const ids = async () => (await findInstances(database.db, 'wxA')).map(({ instance }) => instance)

  test('each running process is listed with its version, and since when it runs', async () => {
    const { instance } = await appear()
    const other = await appear({ appId: 'wxB' })
    const found = await findInstances(database.db, 'wxA')
    expect(await findInstances(database.db, 'wxB')).toMatchObject([{ instance: other.id, app_id: 'wxB' }])
    expect(found).toEqual([
      {
        instance: instance.id,
        app_id: 'wxA',
        host: instance.host,
        pid: process.pid,
        version: instance.version,
        started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        seen_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        alive: true,
      },
    ])
    await other.end()
    expect(await ids()).toEqual([instance.id])
  })

  test('a process has a row for each account that it serves, from the moment on at which that changes', async () => {
    let served = ['wxA', 'wxB']
    const instance = createInstance()
    const presence = await startPresence({ db: database.db, log: silentLog }, () => served, instance)
    const seen = async () =>
      Promise.all(['wxA', 'wxB', 'wxC'].map(async (id) => (await findInstances(database.db, id)).length))
    expect(await seen()).toEqual([1, 1, 0])
    served = ['wxB', 'wxC']
    await presence.update()
    expect(await seen()).toEqual([0, 1, 1])
    await presence.end()
    await presence.update()
    expect(await seen()).toEqual([0, 0, 0])
  })

  test('a process that has given no sign of life for 45 s is not alive', async () => {
    const { id } = await appear()
    await setSeen(id, 35_000)
    expect(await findInstances(database.db, 'wxA')).toMatchObject([{ alive: true }])
    await setSeen(id, 46_000)
    expect(await findInstances(database.db, 'wxA')).toMatchObject([{ alive: false }])
  })

  test('a heartbeat renews the sign of life, and brings back a row that was deleted', async () => {
    const { id } = await appear({ heartbeatMs: 20 })
    const [before] = await findInstances(database.db, 'wxA')
    await setSeen(id, MINUTE)
    await eventually('a new sign of life', async () => (await findInstances(database.db, 'wxA'))[0]?.alive)
    await execute(database.db, 'DELETE FROM wx_instance')
    await eventually('the row', async () => (await ids()).length === 1)
    const [after] = await findInstances(database.db, 'wxA')
    const moved = Date.parse(after?.started_at ?? '') - Date.parse(before?.started_at ?? '')
    expect(Math.abs(moved)).toBeLessThan(2_000)
  })

  test('what killed processes left goes a day later, when another one starts', async () => {
    const [old, killed] = [await appear(), await appear()]
    await setSeen(old.id, 24 * 60 * MINUTE + 1_000)
    await setSeen(killed.id, 23 * 60 * MINUTE)
    const { id } = await appear()
    expect(await ids()).toEqual([id, killed.id])
  })

  test('while the database is away there is one line, and a stop does not fail', async () => {
    const lines: string[] = []
    const output = { write: (line: string) => lines.push(line) }
    const log = createLogger({ level: 'info', secrets: [], output })
    const { end } = await appear({ heartbeatMs: 5, log })
    await execute(database.db, 'ALTER TABLE wx_instance RENAME TO wx_instance_away')
    await eventually('a heartbeat in vain', () => lines.length > 0)
    await end()
    await execute(database.db, 'ALTER TABLE wx_instance_away RENAME TO wx_instance')
    expect(lines.map((line) => JSON.parse(line).event)).toEqual([
      'instance.not_seen',
      'instance.not_forgotten',
    ])
  })
})
