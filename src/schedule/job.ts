/** Work that comes round. A tick only says "look now": what is due follows from the database. */
export interface Job {
  name: string
  /** Cron expressions, in the account's zone. */
  ticks: string[]
  /** Looks whether something is due, and does it. The schedule never runs a job beside itself. */
  look(signal: AbortSignal): Promise<void>
}

/** For jobs that must not depend on one tick: a lost one is made up for a minute later. */
export const EVERY_MINUTE = '* * * * *'
export const EVERY_FEW_SECONDS = '*/3 * * * * *'

/** A job from the two questions it has to answer: what is due now, and how that is done. */
export function defineJob<Due>(job: {
  name: string
  ticks: string[]
  /** undefined = nothing. */
  findDue(): Promise<Due | undefined>
  run(due: Due, signal: AbortSignal): Promise<void>
}): Job {
  const { name, ticks } = job
  return {
    name,
    ticks,
    async look(signal) {
      const due = await job.findDue()
      if (due !== undefined) await job.run(due, signal)
    },
  }
}
