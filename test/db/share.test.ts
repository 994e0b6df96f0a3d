import { describe, expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/connect.js'
import { poolStateOf } from '../../src/db/pool.js'
import { shareOf } from '../../src/db/share.js'
import { useDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { openPool } from '../helpers/rows.js'

// @module-tag mysql

describe('a share of the pool', () => {
  const database = useDatabase('mysql')
  const { db } = database
  let most = 2
  const share = shareOf(db, () => most)

  async function hold() {
    const trx = await share.transaction()
    onTestFinished(async () => {
      if (!trx.isCompleted()) await trx.rollback()
    })
    return trx
  }

  test('has so many connections of the pool and no more, and those who wait get one in their order', async () => {
    const [first, second] = [await hold(), await hold()]
    const done: string[] = []
    const third = share.raw('SELECT 3').then(() => done.push('third'))
    const fourth = share.transaction(async (trx) => {
      await trx.raw('SELECT 4')
      done.push('fourth')
    })
    await db.raw('SELECT 1')
    expect([done, poolStateOf(share).used]).toEqual([[], 2])
    await first.commit()
    await Promise.all([third, fourth])
    expect(done).toEqual(['third', 'fourth'])
    await second.rollback()
    await eventually('all are given back', () => poolStateOf(db).used === 0)
  })

  test('may grow while others wait', async () => {
    await hold()
    const second = await hold()
    const third = share.raw('SELECT 3')
    most = 3
    await second.commit()
    await third
    most = 2
  })

  test('of a database that cannot be reached is not used up by those who tried', async () => {
    const gone = openPool({ url: 'mysql://nobody@127.0.0.1:1/none' })
    onTestFinished(() => gone.destroy())
    const ofGone = shareOf(gone, () => 1)
    for (let i = 0; i < 3; i++)
      await expect(ofGone.raw('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('tells who waited as long as for the pool that it is about the connections of one account', async () => {
    const hurried = openDatabase(database.url, 300)
    onTestFinished(() => hurried.destroy())
    const narrow = shareOf(hurried, () => 1)
    const trx = await narrow.transaction()
    await expect(narrow.raw('SELECT 1')).rejects.toThrow(/waited too long for one of its connections/)
    await trx.rollback()
    await narrow.raw('SELECT 1')
  })
})
