/**
 * A week in the life of a few hundred users, always the same: who submits a form on which day, who signs in,
 * and what careless clients also send.
 */
export interface SampleDay {
  /** Days before today; 7 is a week ago, 0 is this morning. */
  daysAgo: number
  /** Users who submit the form, once each. */
  submits: SampleUser[]
  /** Users who signed in on that day. */
  signIns: SampleUser[]
}

export interface SampleUser {
  userId: number
  openId: string
}

export const SAMPLE_USERS = 300
export const SAMPLE_DAYS = 7

/** Strings that real clients were seen to upload instead of a form_id. */
export const JUNK_FORM_IDS = [
  'the formId is a mock one',
  'requestFormId:fail deprecated',
  'undefined',
  'the formId is no longer available in develop or trial version of this mini program',
]

export function sampleWeek(): SampleDay[] {
  const random = createRandom(20_261_120)
  const users = Array.from({ length: SAMPLE_USERS }, (_, i): SampleUser => {
    const userId = i + 1
    return { userId, openId: `oDemo${String(userId).padStart(23, '0')}` }
  })
  // A third of them come nearly every day, the others now and then; some stopped coming days ago.
  const habit = users.map(() => 0.1 + 0.85 * random() ** 2)
  const stays = users.map(() => Math.floor(random() * 4))
  const days: SampleDay[] = []
  for (let daysAgo = SAMPLE_DAYS; daysAgo >= 0; daysAgo--) {
    const present = users.filter((_, i) => daysAgo >= (stays[i] ?? 0) && random() < (habit[i] ?? 0))
    days.push({ daysAgo, submits: present, signIns: present.filter(() => random() < 0.9) })
  }
  return days
}

/**
 * Numbers in [0, 1), the same in every run: nobody can talk about a demo that differs each time. (mulberry32)
 */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
