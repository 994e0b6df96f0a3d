/** Counts answers by path and outcome: an errcode, or the kind of fault if there was no answer. */
export class CallCounts {
  readonly #outcomes = new Map<string, Map<string | number, number>>()
  #inFlight = 0
  #peakInFlight = 0

  get inFlight(): number {
    return this.#inFlight
  }

  get peakInFlight(): number {
    return this.#peakInFlight
  }

  enter(): void {
    this.#inFlight += 1
    if (this.#inFlight > this.#peakInFlight) this.#peakInFlight = this.#inFlight
  }

  leave(): void {
    this.#inFlight -= 1
  }

  count(path: string, outcome: string | number): void {
    let outcomes = this.#outcomes.get(path)
    if (!outcomes) {
      outcomes = new Map()
      this.#outcomes.set(path, outcomes)
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }

  byPath(): Record<string, Record<string, number>> {
    return Object.fromEntries(
      [...this.#outcomes].map(([path, outcomes]) => [path, Object.fromEntries(outcomes)]),
    )
  }

  byOutcome(): Record<string, number> {
    const totals: Record<string, number> = {}
    for (const outcomes of this.#outcomes.values()) {
      for (const [outcome, count] of outcomes) totals[outcome] = (totals[outcome] ?? 0) + count
    }
    return totals
  }

  /** Requests under way stay counted: they have yet to leave. */
  clear(): void {
    this.#outcomes.clear()
    this.#peakInFlight = this.#inFlight
  }
}
