import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/db/connect.js'
import { poolStateOf } from '../../src/db/pool.js'
import { createDatabaseShares } from '../../src/db/share.js'
import { useDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { openPool } from '../helpers/rows.js'

// @module-tag mysql

describe('a share of the pool', () => {
  const database = useDatabase('mysql')
  // Of a pool of four, a party gets two.
  const pool = openPool(database, 4)
  afterAll(() => pool.destroy())
  let isDivided = true
  const share = createDatabaseShares(pool, () => isDivided).open()

  async function hold(of = share) {
    const trx = await of.transaction()
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
    await pool.raw('SELECT 1')
    expect([done, poolStateOf(share).used]).toEqual([[], 2])
    await first.commit()
    await Promise.all([third, fourth])
    expect(done).toEqual(['third', 'fourth'])
    await second.rollback()
    await eventually('all are given back', () => poolStateOf(pool).used === 0)
  })

  test('may be all of them once there is no other party', async () => {
    await hold()
    await hold()
    isDivided = false
    await hold()
    await hold()
    expect(poolStateOf(pool).used).toBe(4)
    isDivided = true
  })

  test('of a database that cannot be reached is not used up by those who tried', async () => {
    const gone = openPool({ url: 'mysql://nobody@127.0.0.1:1/none' })
    onTestFinished(() => gone.destroy())
    const ofGone = createDatabaseShares(gone, () => true).open()
    for (let i = 0; i < 3; i++)
      await expect(ofGone.raw('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('tells who waited as long as for the pool that it is about the connections of one account', async () => {
    const hurried = openDatabase(database.url, 300)
    onTestFinished(() => hurried.destroy())
    const narrow = createDatabaseShares(hurried, () => true).open()
    const held = await Promise.all(Array.from({ length: 5 }, () => hold(narrow)))
    await expect(narrow.raw('SELECT 1')).rejects.toThrow(/waited too long for one of its connections/)
    await Promise.all(held.map((trx) => trx.rollback()))
    await narrow.raw('SELECT 1')
  })
})
