import { createRandom } from './random.js'

/**
 * A week in the life of a few hundred users, always the same: who comes on which day and gives a permit, who signs in,
 * and who comes in the evening after all.
 */
export interface SampleDay {
  /** Days before today; 7 is a week ago, 0 is this morning. */
  daysAgo: number
  /** Users who come in the morning and give a permit, once each. */
  visitors: SampleUser[]
  /** Users who sign in in the morning. */
  signIns: SampleUser[]
  /** Of the users who did not: those who would sign in in the evening if they had been reminded, and if not. */
  eveningIfReminded: SampleUser[]
  eveningUnasked: SampleUser[]
}

export interface SampleUser {
  userId: number
  openId: string
}

export const SAMPLE_DAYS = 7

/** As long as WeChat's. */
export function sampleOpenId(prefix: string, userId: number): string {
  return prefix + String(userId).padStart(28 - prefix.length, '0')
}

export function sampleWeek(sample: { users: number; openIdPrefix: string; seed: number }): SampleDay[] {
  const random = createRandom(sample.seed)
  const users = Array.from({ length: sample.users }, (_, i): SampleUser => {
    const userId = i + 1
    return { userId, openId: sampleOpenId(sample.openIdPrefix, userId) }
  })
  // A third of them come nearly every day, the others now and then; some stopped coming days ago.
  const habit = users.map(() => 0.1 + 0.85 * random() ** 2)
  const stays = users.map(() => Math.floor(random() * 4))
  const days: SampleDay[] = []
  for (let daysAgo = SAMPLE_DAYS; daysAgo >= 0; daysAgo--) {
    const visitors = users.filter((_, i) => daysAgo >= (stays[i] ?? 0) && random() < (habit[i] ?? 0))
    const signIns = visitors.filter(() => random() < 0.9)
    const rest = users.filter((user) => !signIns.includes(user))
    days.push({
      daysAgo,
      visitors,
      signIns,
      eveningIfReminded: rest.filter(() => random() < 0.35),
      eveningUnasked: rest.filter(() => random() < 0.08),
    })
  }
  return days
}
