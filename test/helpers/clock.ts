export interface TestClock {
  now(): number
  set(time: number): void
  advance(ms: number): void
  /** How fast it runs: 0 (at first) stands still, 1 is the machine's speed, 100 lets a minute pass in 0.6 s. */
  run(speed: number): void
}

/** One clock for a service and its WeChat. */
export function createClock(start: number): TestClock {
  let base = start
  let since = performance.now()
  let speed = 0
  const now = (): number => Math.floor(base + (performance.now() - since) * speed)
  function restart(time: number, newSpeed: number): void {
    base = time
    since = performance.now()
    speed = newSpeed
  }
  return {
    now,
    set: (time) => restart(time, speed),
    advance: (ms) => restart(now() + ms, speed),
    run: (newSpeed) => restart(now(), newSpeed),
  }
}
