/**
 * Named places where tests make the process die or freeze, to prove that nothing is lost or doubled there.
 * Nothing is armed unless the command line arms it from REMINDER_FAILPOINTS; an unarmed failpoint costs one
 * comparison.
 */
export const FAILPOINTS = [
  'claim.in_transaction',
  'claim.committed',
  'mark.committed',
  'send.before',
  'send.after',
  'settle.in_transaction',
  'settle.committed',
  'give_back.in_transaction',
  'next_permit.in_transaction',
  'take_over.committed',
  'token.fetched',
  'expire.in_transaction',
  'ingest.in_transaction',
  'callback.in_transaction',
  'submit.in_transaction',
  'submit.committed',
] as const

export type Failpoint = (typeof FAILPOINTS)[number]

/** kill: SIGKILL, like a crash. stop: SIGSTOP, like a frozen machine; another process has to send SIGCONT. */
type Action = 'kill' | 'stop'

const armed = new Map<Failpoint, { action: Action; hitsLeft: number }>()

/**
 * Arms from a text such as `send.after=kill:3,claim.committed=stop:1`: what to do at which hit. Throws if the
 * text is malformed.
 */
export function armFailpoints(text: string): void {
  for (const entry of text.split(',')) {
    const [, name, action, hits] = /^([\w.]+)=(kill|stop):(\d+)$/.exec(entry) ?? []
    if (!isFailpoint(name)) throw new Error(`REMINDER_FAILPOINTS: "${entry}" is not failpoint=kill|stop:n`)
    armed.set(name, { action: action as Action, hitsLeft: Number(hits) })
  }
}

/** Marks that the process has reached this place. */
export function failpoint(name: Failpoint): void {
  if (armed.size === 0) return
  const plan = armed.get(name)
  if (!plan || --plan.hitsLeft > 0) return
  armed.delete(name)
  process.kill(process.pid, plan.action === 'kill' ? 'SIGKILL' : 'SIGSTOP')
}

function isFailpoint(name: string | undefined): name is Failpoint {
  return FAILPOINTS.some((known) => known === name)
}
