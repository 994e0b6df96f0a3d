import type { Failpoint } from '../../src/lib/failpoint.js'
import type { Luck } from './luck.js'
import type { ChaosOptions } from './options.js'
import { LEASE_MS } from './processes.js'

export type Role = 'serve' | 'remind' | 'expire'

/** What is to become of a process. */
export interface Fate {
  kind: 'kill' | 'freeze' | 'terminate' | 'spare'
  /** At a failpoint's hit, or so long after the start, or after it began to work. */
  at: { failpoint: Failpoint; hit: number } | { ms: number; after: 'start' | 'first word' }
  freeze: {
    /** Shorter or longer than the lease: in the second case its messages are somebody else's when it wakes up. */
    ms: number
    /** Asked to stop while it was frozen, it gives back what it claimed: or would, if the lease had not run out. */
    stops: boolean
    /** How long it may go on afterwards. */
    livesOnMs: number
  }
}

type Places = Partial<Record<Failpoint, number>>

/** Where a role can come to, and at most at which hit it is struck there. */
const PLACES: Record<Role, Places> = {
  serve: {
    'ingest.in_transaction': 8,
    'take_over.committed': 2,
    'send.before': 10,
    'send.after': 10,
    'settle.in_transaction': 3,
    'settle.committed': 3,
    'give_back.in_transaction': 1,
    'next_permit.in_transaction': 1,
    'submit.in_transaction': 4,
    'submit.committed': 4,
  },
  remind: {
    'claim.in_transaction': 3,
    'claim.committed': 3,
    'send.before': 40,
    'send.after': 40,
    'settle.in_transaction': 8,
    'settle.committed': 8,
    'give_back.in_transaction': 1,
    'next_permit.in_transaction': 2,
    'take_over.committed': 3,
    'token.fetched': 1,
  },
  expire: { 'expire.in_transaction': 1 },
}

/** Places that only channels have on which a claim is not yet a send, and WeChat's events tell of deliveries. */
const WITH_EVENTS: Partial<Record<Role, Places>> = {
  serve: { 'callback.in_transaction': 8, 'mark.committed': 4 },
  remind: { 'mark.committed': 20 },
}
const ONLY_ON_FORM_ID = new Set<string>(['ingest.in_transaction', 'next_permit.in_transaction'])

function placesOf(channel: ChaosOptions['channel'], role: Role): [Failpoint, number][] {
  const all = Object.entries(PLACES[role]) as [Failpoint, number][]
  if (channel === 'form_id') return all
  const more = Object.entries(WITH_EVENTS[role] ?? {}) as [Failpoint, number][]
  return [...all.filter(([name]) => !ONLY_ON_FORM_ID.has(name)), ...more]
}

/** Every place of a role in turn, in an order of its own, between strikes at random moments. */
export function createFates(luck: Luck, channel: ChaosOptions['channel']): (role: Role) => Fate {
  const bags = new Map<Role, [Failpoint, number][]>()

  function drawPlace(role: Role): { failpoint: Failpoint; hit: number } {
    const bag = bags.get(role) ?? []
    if (bag.length === 0) bag.push(...placesOf(channel, role))
    bags.set(role, bag)
    const place = luck.pick(bag)
    bag.splice(bag.indexOf(place), 1)
    const [failpoint, most] = place
    return { failpoint, hit: luck.integer(1, most) }
  }

  return (role) => {
    const dice = luck.between(0, 100)
    const at = luck.chance(0.15)
      ? ({ ms: luck.between(50, 1_000), after: 'start' } as const)
      : ({ ms: luck.between(100, role === 'serve' ? 5_000 : 2_000), after: 'first word' } as const)
    const freeze = {
      ms: LEASE_MS * (luck.chance(0.5) ? luck.between(0.2, 0.8) : luck.between(1.2, 2)),
      stops: luck.chance(0.4),
      livesOnMs: luck.between(100, 1_500),
    }
    if (dice < 45) return { kind: 'kill', at: drawPlace(role), freeze }
    if (dice < 57) return { kind: 'freeze', at: drawPlace(role), freeze }
    if (dice < 82) return { kind: 'kill', at, freeze }
    if (dice < 90) return { kind: 'freeze', at, freeze }
    if (dice < 97) return { kind: 'terminate', at, freeze }
    return { kind: 'spare', at, freeze }
  }
}
