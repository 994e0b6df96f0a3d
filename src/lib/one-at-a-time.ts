/** Work that is done in passes, of which only one is under way at a time. */
export interface Passes<Result> {
  /** Begins a pass, or joins the one under way. Rejects as the pass does. */
  workDue(): Promise<Result>
  /** Signals that there is something new: a pass begins now, or after the one under way. Returns at once. */
  wake(): void
  /** Resolves when no pass is under way. */
  ended(): Promise<void>
}

/** A pass that was begun by `wake` tells `onFailure` of its error. After a stop, `wake` does nothing. */
export function oneAtATime<Result>(
  pass: () => Promise<Result>,
  { isStopped, onFailure }: { isStopped(): boolean; onFailure(error: unknown): void },
): Passes<Result> {
  let underWay: Promise<Result> | undefined
  let again = false

  function workDue(): Promise<Result> {
    underWay ??= pass().finally(() => {
      underWay = undefined
      if (again) wake()
    })
    return underWay
  }

  function wake(): void {
    again = underWay !== undefined
    if (isStopped() || underWay) return
    workDue().catch(onFailure)
  }

  return {
    workDue,
    wake,
    async ended() {
      await underWay?.catch(() => {})
    },
  }
}
