/** What a person does to an account besides following it and accepting its subscriptions. */
export interface Person {
  /** On the blacklist of the service account: 43019. */
  blacklisted?: boolean | undefined
  /** Has the switch of all messages on: off gives 48002 from a service account, 43101 from a mini-program. */
  receives?: boolean | undefined
  /** Messages to this person are accepted and then lost; the text is what the event says of it. */
  fails?: DeliveryFailure | null | undefined
}

/** The blank in the second is WeChat's; the third is on no page, but was seen. */
export const DELIVERY_FAILURES = ['failed:user block', 'failed: system failed', 'failed:freq limit'] as const

export type DeliveryFailure = (typeof DELIVERY_FAILURES)[number]

/** Those of whom there is something to say, by account. */
export class People {
  readonly #people = new Map<string, Person>()

  /** What is not named stays as it is. */
  set(appId: string, openId: string, changes: Person): void {
    const key = `${appId} ${openId}`
    const given = Object.entries(changes).filter(([, value]) => value !== undefined)
    const person: Person = { ...this.#people.get(key), ...Object.fromEntries(given) }
    const isOrdinary = !person.blacklisted && person.receives !== false && !person.fails
    if (isOrdinary) this.#people.delete(key)
    else this.#people.set(key, person)
  }

  get(appId: string, openId: string): Person {
    return this.#people.get(`${appId} ${openId}`) ?? {}
  }

  clear(): void {
    this.#people.clear()
  }
}
