import type { Channel } from '../channel.js'
import { ControlError } from './errors.js'
import { type Template, type TemplateOptions, toTemplate } from './templates.js'

export interface AccountOptions {
  appId: string
  secret: string
  /** What the account is: a service account, or a mini-program. If absent, it is both. */
  channel?: Channel | undefined
  /** By template id, with its data keys or more. If absent, every template id passes and no data is checked. */
  templates?: Record<string, readonly string[] | TemplateOptions> | undefined
  /** Pages of the released version. If absent, every page passes. */
  pages?: string[] | undefined
  /** Mini-programs that are linked to a service account. If absent, every one is. */
  linkedApps?: string[] | undefined
  /** The addresses that may ask for tokens. If absent, all. */
  ipAllowlist?: string[] | undefined
  /** Whether its secret is frozen in the console. */
  secretFrozen?: boolean | undefined
}

export const DEMO_APP_ID = 'wx5a6d9e0c1b2f3a48'
export const DEMO_APP_SECRET = '0123456789abcdef0123456789abcdef'
export const DEMO_TEMPLATE_ID = 'sandbox-sign-in-reminder-template-000000001'
export const DEMO_PAGE = 'pages/sign-in/index'

export const DEMO_ACCOUNT: AccountOptions = {
  appId: DEMO_APP_ID,
  secret: DEMO_APP_SECRET,
  templates: { [DEMO_TEMPLATE_ID]: ['keyword1', 'keyword2', 'keyword4'] },
  pages: [DEMO_PAGE],
}

export const DEMO_SUBSCRIBE_TEMPLATE_ID = 'sandbox-sign-in-subscription-template-00001'
/** What a backend of the same mini-program would send by. */
export const DEMO_PRIZE_TEMPLATE_ID = 'sandbox-prize-subscription-template-0000002'

/** A mini-program of today, which asks for subscriptions. */
export const DEMO_SUBSCRIBE_ACCOUNT: AccountOptions = {
  appId: 'wx8c1f4b7d2e9a6053',
  secret: 'fedcba9876543210fedcba9876543210',
  templates: {
    [DEMO_SUBSCRIBE_TEMPLATE_ID]: ['thing1', 'thing2', 'date3'],
    [DEMO_PRIZE_TEMPLATE_ID]: ['thing1', 'date2'],
  },
  pages: [DEMO_PAGE],
}

export const DEMO_OFFICIAL_TEMPLATE_ID = 'sandbox-sign-in-service-account-template-001'

/** A service account, whose followers need no permit. */
export const DEMO_OFFICIAL_ACCOUNT: AccountOptions = {
  appId: 'wx2d7b9f4e6c8a1035',
  secret: '89abcdef0123456789abcdef01234567',
  templates: { [DEMO_OFFICIAL_TEMPLATE_ID]: ['thing1', 'thing2', 'date3'] },
}

export class SandboxAccount {
  readonly appId: string
  readonly secret: string
  readonly secretFrozen: boolean
  readonly #channel: Channel | undefined
  readonly #templates: Map<string, Template> | undefined
  readonly #pages: Set<string> | undefined
  readonly #linkedApps: Set<string> | undefined
  readonly #ipAllowlist: Set<string> | undefined

  constructor(options: AccountOptions) {
    const { appId, secret, channel, templates, pages, linkedApps, ipAllowlist } = options
    this.appId = appId
    this.secret = secret
    this.secretFrozen = options.secretFrozen ?? false
    this.#channel = channel
    this.#templates =
      templates && new Map(Object.entries(templates).map(([id, each]) => [id, toTemplate(id, each, channel)]))
    this.#pages = pages && new Set(pages.map(pagePath))
    this.#linkedApps = linkedApps && new Set(linkedApps)
    this.#ipAllowlist = ipAllowlist && new Set(ipAllowlist)
  }

  /** Whether the account is of the kind that has this interface: service accounts and mini-programs differ. */
  has(channel: Channel): boolean {
    return this.#channel === undefined || (this.#channel === 'official') === (channel === 'official')
  }

  /** undefined if there is none with this id for this channel. */
  template(templateId: unknown, channel: Channel): Template | undefined {
    if (typeof templateId !== 'string' || templateId === '') return undefined
    if (!this.#templates) return toTemplate(templateId, [], channel)
    const template = this.#templates.get(templateId)
    return template && isOf(template, channel) ? template : undefined
  }

  /** All that a list of this channel shows; undefined if every template id passes, so that there is no list. */
  templates(channel: Channel): Template[] | undefined {
    return this.#templates && [...this.#templates.values()].filter((template) => isOf(template, channel))
  }

  /** A page may carry a query; an empty or missing one only makes the card not clickable. */
  hasPage(page: unknown): boolean {
    if (page === undefined || page === '') return true
    return typeof page === 'string' && (this.#pages?.has(pagePath(page)) ?? true)
  }

  isLinkedTo(appId: unknown): boolean {
    return typeof appId === 'string' && appId !== '' && (this.#linkedApps?.has(appId) ?? true)
  }

  allowsAddress(ip: string): boolean {
    return this.#ipAllowlist?.has(ip) ?? true
  }
}

function isOf(template: Template, channel: Channel): boolean {
  return template.channel === undefined || template.channel === channel
}

function pagePath(page: string): string {
  const query = page.indexOf('?')
  const path = query < 0 ? page : page.slice(0, query)
  return path.startsWith('/') ? path.slice(1) : path
}

export class Accounts {
  readonly #atStart: readonly AccountOptions[]
  #byAppId = new Map<string, SandboxAccount>()

  constructor(options: readonly AccountOptions[]) {
    if (options.length === 0) throw new ControlError('the sandbox needs at least one account')
    this.#atStart = options
    this.clear()
  }

  get(appId: string): SandboxAccount | undefined {
    return this.#byAppId.get(appId)
  }

  ids(): string[] {
    return [...this.#byAppId.keys()]
  }

  ownsSecret(secret: string): boolean {
    return [...this.#byAppId.values()].some((account) => account.secret === secret)
  }

  /** Adds an account, or changes the one of this app_id as a whole. */
  put(options: AccountOptions): void {
    this.#byAppId.set(options.appId, new SandboxAccount(options))
  }

  /** The account that a control call names; without a name, the first. */
  named(appId: string | undefined): SandboxAccount {
    const account = appId === undefined ? this.#byAppId.values().next().value : this.get(appId)
    if (!account) throw new ControlError(`no account ${appId} in this sandbox`)
    return account
  }

  /** Back to the accounts of the start. */
  clear(): void {
    this.#byAppId = new Map(this.#atStart.map((each) => [each.appId, new SandboxAccount(each)]))
  }
}
