export type Choice = 'accept' | 'reject'

/** Which answer a user has kept for which template, so that the popup does not ask for it again. */
export class KeptChoices {
  readonly #choices = new Map<string, Choice>()

  get(appId: string, openId: string, templateId: string): Choice | undefined {
    return this.#choices.get(`${appId} ${openId} ${templateId}`)
  }

  set(appId: string, openId: string, templateId: string, choice: Choice): void {
    this.#choices.set(`${appId} ${openId} ${templateId}`, choice)
  }

  forget(appId: string, openId: string, templateId: string): void {
    this.#choices.delete(`${appId} ${openId} ${templateId}`)
  }

  clear(): void {
    this.#choices.clear()
  }
}
