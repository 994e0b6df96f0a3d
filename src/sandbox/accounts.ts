import { ControlError } from './errors.js'

export interface AccountOptions {
  appId: string
  secret: string
  /** Template id to the data keys it needs. If absent, every template id passes and no data is checked. */
  templates?: Record<string, string[]>
  /** Pages of the released version. If absent, every page passes. */
  pages?: string[]
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
  readonly #templates: Map<string, string[]> | undefined
  readonly #pages: Set<string> | undefined

  constructor(options: AccountOptions) {
    this.appId = options.appId
    this.secret = options.secret
    this.#templates = options.templates && new Map(Object.entries(options.templates))
    this.#pages = options.pages && new Set(options.pages.map(pagePath))
  }

  /** The data keys that a message with this template must fill, or undefined if there is no such template. */
  templateKeys(templateId: unknown): string[] | undefined {
    if (typeof templateId !== 'string' || templateId === '') return undefined
    return this.#templates ? this.#templates.get(templateId) : []
  }

  /** A page may carry a query; an empty or missing one only makes the card not clickable. */
  hasPage(page: unknown): boolean {
    if (page === undefined || page === '') return true
    return typeof page === 'string' && (this.#pages?.has(pagePath(page)) ?? true)
  }
}

function pagePath(page: string): string {
  const query = page.indexOf('?')
  const path = query < 0 ? page : page.slice(0, query)
  return path.startsWith('/') ? path.slice(1) : path
}

export class Accounts {
  readonly #byAppId: Map<string, SandboxAccount>
  readonly #first: SandboxAccount

  constructor(options: readonly AccountOptions[]) {
    const accounts = options.map((each) => new SandboxAccount(each))
    const [first] = accounts
    if (!first) throw new ControlError('the sandbox needs at least one account')
    this.#first = first
    this.#byAppId = new Map(accounts.map((account) => [account.appId, account]))
  }

  get(appId: string): SandboxAccount | undefined {
    return this.#byAppId.get(appId)
  }

  ids(): Iterable<string> {
    return this.#byAppId.keys()
  }

  ownsSecret(secret: string): boolean {
    return [...this.#byAppId.values()].some((account) => account.secret === secret)
  }

  /** The account that a control call names; without a name, the first. */
  named(appId: string | undefined): SandboxAccount {
    const account = appId === undefined ? this.#first : this.get(appId)
    if (!account) throw new ControlError(`no account ${appId} in this sandbox`)
    return account
  }
}
