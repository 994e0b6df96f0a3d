import { setImmediate as nextTurn } from 'node:timers/promises'
import { ServiceError } from '../errors.js'

export interface GroupCommit<Item, Result> {
  /** Resolves once the item's group is committed; rejects with what happened to this item. */
  add(item: Item): Promise<Result>
  /** Resolves when nothing is waiting or under way. */
  drain(): Promise<void>
}

interface Waiting<Item, Result> {
  item: Item
  weight: number
  resolve(result: Result): void
  reject(error: unknown): void
}

/** How two groups are committed side by side. */
export interface SideBySide<Item> {
  /** A group that starts beside another weighs this at least: a small one would cost a commit for little. */
  minWeight: number
  /** Two groups under way have none of these in common, and items that share one keep their order. */
  keysOf(item: Item): unknown[]
}

/** Items that a group looks past while it is gathered: so many requests with keys of another group are enough. */
const MAX_PASSED_OVER = 100

/**
 * Commits together what arrives together. There is no timer: what arrives while a commit is under way forms
 * the next group (measured: a timer of 2 ms halves the throughput of waiting callers). Each group waits for
 * one turn of the event loop, which brings what the process has already received: with SQLite, whose driver
 * blocks the process, nothing else would gather (5,000 reminders: 191 against 869 and 1,307 users/s; 64
 * uploaders: 78 against 414 and 880/s, on a loaded machine). When a group fails, each of its items is retried
 * once on its own, so that a poisonous item cannot fail its neighbours.
 */
export function createGroupCommit<Item, Result>(options: {
  commit(items: Item[]): Promise<Result[]>
  /** Resolves when a group is worth committing, if that is later than after one turn of the event loop. */
  gather?(): Promise<void>
  /** How much of the group's limit an item takes, e.g. its number of rows. */
  weigh(item: Item): number
  /**
   * Whether one item may have failed the whole group. If not (the database is gone), all items share the
   * failure.
   */
  mayBeOneItemsFault(error: unknown): boolean
  maxGroupWeight: number
  /** Above this, `add` refuses with `overloaded`: memory stays bounded whatever the database does. */
  maxWaitingWeight: number
  /** Without it, one group follows the other. */
  sideBySide?: SideBySide<Item> | undefined
}): GroupCommit<Item, Result> {
  const { sideBySide } = options
  let waiting: Waiting<Item, Result>[] = []
  let waitingWeight = 0
  const underWay = new Set<Waiting<Item, Result>[]>()
  let weightUnderWay = 0
  const runs = new Set<Promise<void>>()
  let runners = 0

  function keysUnderWay(): Set<unknown> {
    const keys = new Set<unknown>()
    if (!sideBySide) return keys
    for (const group of underWay)
      for (const { item } of group) for (const key of sideBySide.keysOf(item)) keys.add(key)
    return keys
  }

  /**
   * Half of all that waits or is under way, if what it leaves is worth a group. Callers who were answered together come
   * back together: taken as one group again, they would leave nothing to commit beside it.
   */
  function mostToTake(): number {
    const half = Math.ceil((waitingWeight + weightUnderWay) / 2)
    if (!sideBySide || waitingWeight - half < sideBySide.minWeight) return options.maxGroupWeight
    return Math.min(half, options.maxGroupWeight)
  }

  /** Empty if everything that waits has to wait for the other group. */
  function takeGroup(): Waiting<Item, Result>[] {
    const held = keysUnderWay()
    const most = mostToTake()
    const group: Waiting<Item, Result>[] = []
    const passedOver: Waiting<Item, Result>[] = []
    let weight = 0
    let at = 0
    for (; at < waiting.length; at++) {
      const entry = waiting[at] as Waiting<Item, Result>
      if (group.length > 0 && weight + entry.weight > most) break
      const keys = held.size === 0 ? [] : (sideBySide?.keysOf(entry.item) ?? [])
      if (keys.some((key) => held.has(key))) {
        if (passedOver.push(entry) > MAX_PASSED_OVER) break
        // Nothing behind it with one of its keys gets ahead of it.
        for (const key of keys) held.add(key)
        continue
      }
      weight += entry.weight
      group.push(entry)
    }
    waitingWeight -= weight
    waiting = [...passedOver, ...waiting.slice(group.length + passedOver.length)]
    return group
  }

  async function commitGroup(group: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await options.commit(group.map((entry) => entry.item))
      for (const [i, entry] of group.entries()) entry.resolve(results[i] as Result)
    } catch (error) {
      if (group.length === 1 || !options.mayBeOneItemsFault(error)) {
        for (const entry of group) entry.reject(error)
      } else {
        for (const entry of group) await commitGroup([entry])
      }
    }
  }

  const isWorthAGroup = (others: number): boolean =>
    waiting.length > 0 &&
    (others === 0 || (sideBySide !== undefined && others === 1 && waitingWeight >= sideBySide.minWeight))

  async function run(): Promise<void> {
    while (isWorthAGroup(runners - 1)) {
      await nextTurn()
      await options.gather?.()
      // The other one may have taken it meanwhile.
      if (!isWorthAGroup(runners - 1)) break
      const group = takeGroup()
      // Whoever commits the other group goes on with what waits for it.
      if (group.length === 0) break
      const weight = weightOf(group)
      underWay.add(group)
      weightUnderWay += weight
      if (isWorthAGroup(runners)) start()
      await commitGroup(group)
      underWay.delete(group)
      weightUnderWay -= weight
    }
    runners--
  }

  function start(): void {
    runners++
    const running = run().finally(() => runs.delete(running))
    runs.add(running)
  }

  return {
    add(item) {
      const weight = options.weigh(item)
      if (waitingWeight + weight > options.maxWaitingWeight) {
        return Promise.reject(
          new ServiceError('overloaded', 'Too much is waiting for the database; try again shortly'),
        )
      }
      return new Promise<Result>((resolve, reject) => {
        waiting.push({ item, weight, resolve, reject })
        waitingWeight += weight
        if (isWorthAGroup(runners)) start()
      })
    },
    async drain() {
      while (runs.size > 0) await Promise.all(runs)
    },
  }
}

function weightOf(entries: { weight: number }[]): number {
  return entries.reduce((sum, { weight }) => sum + weight, 0)
}
