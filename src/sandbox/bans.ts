/** Templates that the platform has banned, and accounts whose subscribe messages it has. */
export class Bans {
  readonly #templates = new Set<string>()
  readonly #accounts = new Set<string>()

  /** Without a template: the account's subscribe messages as a whole. */
  set(appId: string, templateId: string | undefined, isBanned: boolean): void {
    const [bans, key] =
      templateId === undefined ? [this.#accounts, appId] : [this.#templates, `${appId} ${templateId}`]
    if (isBanned) bans.add(key)
    else bans.delete(key)
  }

  hasTemplate(appId: string, templateId: string): boolean {
    return this.#templates.has(`${appId} ${templateId}`)
  }

  hasAccount(appId: string): boolean {
    return this.#accounts.has(appId)
  }

  clear(): void {
    this.#templates.clear()
    this.#accounts.clear()
  }
}
