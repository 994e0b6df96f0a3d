import { messageOf } from '../lib/message-of.js'

/** What is wrong with settings, each named by where it stands: one fault for a place, the first that was found. */
export class Faults {
  readonly #byPlace = new Map<string, string>()

  add(place: string, reason: string): void {
    if (!this.#byPlace.has(place)) this.#byPlace.set(place, `${place}: ${reason}`)
  }

  /** What `read` returns, or undefined and a fault at that place with its error's message. */
  catch<T>(place: string, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      this.add(place, messageOf(error))
      return undefined
    }
  }

  get all(): string[] {
    return [...this.#byPlace.values()]
  }
}
