/** Recurring work. A tick only says "look now"; what is due follows from the database. */
export interface Job {
  name: string
  /** Cron expressions, in the account's zone. */
  ticks: string[]
  /** Checks whether something is due, and does it. The schedule never runs a job twice at once. */
  look(signal: AbortSignal): Promise<void>
}

/** For jobs that must not depend on one tick: a lost tick is made up for a minute later. */
export const EVERY_MINUTE = '* * * * *'
export const EVERY_SECOND = '* * * * * *'
export const EVERY_FEW_SECONDS = '*/3 * * * * *'

/** Builds a job from the two questions it answers: what is due now, and how to do it. */
export function defineJob<Due>(job: {
  name: string
  ticks: string[]
  /** undefined = nothing is due. */
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
