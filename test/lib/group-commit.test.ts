import { describe, expect, test } from 'vitest'
import { createGroupCommit, type SideBySide } from '../../src/lib/group-commit.js'

interface Options {
  maxGroupWeight?: number
  maxWaitingWeight?: number
  mayBeOneItemsFault?: (error: unknown) => boolean
  sideBySide?: SideBySide<number>
}

/** A commit that takes until the test ends it. */
function setup(options: Options = {}) {
  const groups: number[][] = []
  const underWay: { resolve(): void; reject(error: Error): void }[] = []
  const groupCommit = createGroupCommit<number, string>({
    commit: (items) => {
      groups.push(items)
      return new Promise((resolve, reject) =>
        underWay.push({ resolve: () => resolve(items.map((item) => `done ${item}`)), reject }),
      )
    },
    weigh: (item) => item,
    mayBeOneItemsFault: options.mayBeOneItemsFault ?? (() => true),
    maxGroupWeight: options.maxGroupWeight ?? 100,
    maxWaitingWeight: options.maxWaitingWeight ?? 1_000,
    sideBySide: options.sideBySide,
  })
  /** Lets all that is ready run: a group waits for a turn of the event loop before it is committed. */
  const settle = async () => {
    for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return {
    groupCommit,
    groups,
    succeed: async () => {
      underWay.shift()?.resolve()
      await settle()
    },
    fail: async (message: string) => {
      underWay.shift()?.reject(new Error(message))
      await settle()
    },
    settle,
  }
}

describe('group commit', () => {
  test('commits what one tick brings at once, and what comes meanwhile together as the next group', async () => {
    const { groupCommit, groups, succeed, settle } = setup()
    const first = [groupCommit.add(1), groupCommit.add(2)]
    await settle()
    const second = [groupCommit.add(3), groupCommit.add(4), groupCommit.add(5)]
    await settle()
    expect(groups).toEqual([[1, 2]])
    await succeed()
    expect(await Promise.all(first)).toEqual(['done 1', 'done 2'])
    expect(groups).toEqual([
      [1, 2],
      [3, 4, 5],
    ])
    await succeed()
    expect(await Promise.all(second)).toEqual(['done 3', 'done 4', 'done 5'])
  })

  test('lets what this turn of the event loop still brings join the first group', async () => {
    const { groupCommit, groups, succeed, settle } = setup()
    const all = [groupCommit.add(1)]
    for (let tick = 0; tick < 10; tick++) await Promise.resolve()
    all.push(groupCommit.add(2))
    await settle()
    expect(groups).toEqual([[1, 2]])
    await succeed()
    await Promise.all(all)
  })

  test('answers nobody before the commit has ended', async () => {
    const { groupCommit, succeed, settle } = setup()
    let answered = false
    const added = groupCommit.add(1).then(() => {
      answered = true
    })
    await settle()
    expect(answered).toBe(false)
    await succeed()
    await added
  })

  test('keeps a group within its weight, and takes one item that is heavier alone', async () => {
    const { groupCommit, groups, succeed, settle } = setup({ maxGroupWeight: 10 })
    const all = [4, 6, 1, 50, 3].map((weight) => groupCommit.add(weight))
    await settle()
    for (let i = 0; i < 4; i++) await succeed()
    await Promise.all(all)
    expect(groups).toEqual([[4, 6], [1], [50], [3]])
  })

  test('tries each item of a failed group once alone', async () => {
    const { groupCommit, groups, succeed, fail, settle } = setup()
    const all = Promise.allSettled([1, 2, 3].map((item) => groupCommit.add(item)))
    await settle()
    await fail('somebody is poisonous')
    await succeed()
    await fail('it is 2')
    await succeed()
    expect(await all).toMatchObject([
      { status: 'fulfilled', value: 'done 1' },
      { status: 'rejected', reason: { message: 'it is 2' } },
      { status: 'fulfilled', value: 'done 3' },
    ])
    expect(groups).toEqual([[1, 2, 3], [1], [2], [3]])
  })

  test('tells all of a group at once when the failure was nobody’s fault', async () => {
    const { groupCommit, groups, fail, settle } = setup({ mayBeOneItemsFault: () => false })
    const all = Promise.allSettled([1, 2, 3].map((item) => groupCommit.add(item)))
    await settle()
    await fail('the database is gone')
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(groups).toHaveLength(1)
  })

  test('goes on after a failure', async () => {
    const { groupCommit, succeed, fail, settle } = setup()
    const failed = groupCommit.add(1).catch((error: Error) => error.message)
    await settle()
    const next = groupCommit.add(2)
    await fail('no')
    await succeed()
    expect([await failed, await next]).toEqual(['no', 'done 2'])
  })

  test('refuses what would wait above the limit, and takes more when the queue is shorter', async () => {
    const { groupCommit, groups, succeed, settle } = setup({ maxWaitingWeight: 10, maxGroupWeight: 10 })
    const underWay = groupCommit.add(9)
    await settle()
    const waiting = [groupCommit.add(6), groupCommit.add(4)]
    await expect(groupCommit.add(1)).rejects.toMatchObject({ code: 'overloaded', status: 503 })
    await succeed()
    const later = groupCommit.add(1)
    await succeed()
    await succeed()
    expect(await Promise.all([underWay, ...waiting, later])).toEqual(['done 9', 'done 6', 'done 4', 'done 1'])
    expect(groups).toEqual([[9], [6, 4], [1]])
  })

  test('group commit is drained when nothing waits and nothing is under way', async () => {
    const { groupCommit, succeed, settle } = setup({ maxGroupWeight: 1 })
    await groupCommit.drain()
    const all = [groupCommit.add(1), groupCommit.add(1)]
    let drained = false
    const draining = groupCommit.drain().then(() => {
      drained = true
    })
    await settle()
    await succeed()
    expect(drained).toBe(false)
    await succeed()
    await draining
    await Promise.all(all)
  })
})

/** An item is its weight and its one key. */
describe('groups side by side', () => {
  const sideBySide = { minWeight: 20, keysOf: (item: number) => [item] }

  test('are committed at once when there is enough for a second one, and never three', async () => {
    const { groupCommit, groups, succeed, settle } = setup({ sideBySide, maxGroupWeight: 30 })
    const all = [groupCommit.add(1)]
    await settle()
    all.push(groupCommit.add(19))
    await settle()
    expect(groups).toEqual([[1]])
    all.push(groupCommit.add(2), groupCommit.add(25), groupCommit.add(26))
    await settle()
    expect(groups).toEqual([[1], [19, 2]])
    await succeed()
    expect(groups).toEqual([[1], [19, 2], [25]])
    await succeed()
    await succeed()
    await succeed()
    expect(groups).toEqual([[1], [19, 2], [25], [26]])
    expect(await Promise.all(all)).toHaveLength(5)
  })

  test('have no key in common, and items with one keep their order', async () => {
    const { groupCommit, groups, succeed, settle } = setup({ sideBySide, maxGroupWeight: 40 })
    const first = groupCommit.add(21)
    await settle()
    const again = groupCommit.add(21)
    const others = [groupCommit.add(22), groupCommit.add(1), groupCommit.add(21)]
    await settle()
    expect(groups).toEqual([[21], [22, 1]])
    await succeed()
    expect(await first).toBe('done 21')
    expect(groups).toEqual([[21], [22, 1], [21]])
    await succeed()
    await succeed()
    expect(groups).toEqual([[21], [22, 1], [21], [21]])
    await succeed()
    expect(await Promise.all([again, ...others])).toHaveLength(4)
  })

  test('leave nothing behind when all that waits has to wait for the other group', async () => {
    const { groupCommit, groups, succeed, settle } = setup({ sideBySide })
    const all = [groupCommit.add(30)]
    await settle()
    all.push(groupCommit.add(30), groupCommit.add(30))
    await settle()
    expect(groups).toEqual([[30]])
    await succeed()
    expect(groups).toEqual([[30], [30]])
    await succeed()
    expect(groups).toEqual([[30], [30], [30]])
    await succeed()
    await groupCommit.drain()
    expect(await Promise.all(all)).toHaveLength(3)
  })

  test('share what arrives together, if half of it is worth a group', async () => {
    const { groupCommit, groups, succeed, settle } = setup({ sideBySide })
    const all = [11, 12, 10, 13].map((item) => groupCommit.add(item))
    await settle()
    expect(groups).toEqual([
      [11, 12],
      [10, 13],
    ])
    await succeed()
    await succeed()
    expect(await Promise.all(all)).toHaveLength(4)
  })

  test('remain one group where half of it is not worth another', async () => {
    const { groupCommit, groups, succeed, settle } = setup({ sideBySide })
    const all = [8, 9, 10, 11].map((item) => groupCommit.add(item))
    await settle()
    expect(groups).toEqual([[8, 9, 10, 11]])
    await succeed()
    expect(await Promise.all(all)).toHaveLength(4)
  })

  test('are two again when what had to wait for the other group may go on', async () => {
    const { groupCommit, groups, succeed, settle } = setup({ sideBySide, maxGroupWeight: 30 })
    const all = [groupCommit.add(25)]
    await settle()
    all.push(...[25, 25, 25, 21, 22, 23].map((item) => groupCommit.add(item)))
    await settle()
    expect(groups).toEqual([[25], [21]])
    await succeed()
    expect(groups).toEqual([[25], [21], [25]])
    await succeed()
    expect(groups).toEqual([[25], [21], [25], [22]])
    for (let i = 0; i < 5; i++) await succeed()
    expect(await Promise.all(all)).toHaveLength(7)
    expect(groups.filter(([weight]) => weight === 25)).toHaveLength(4)
  })
})
