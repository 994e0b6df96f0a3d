export interface DemoClock {
  now(): number
  set(time: number): void
}

/** Runs on from the time it was last set to. */
export function createClock(): DemoClock {
  let offset = 0
  return {
    now: () => Date.now() + offset,
    set(time) {
      offset = time - Date.now()
    },
  }
}
