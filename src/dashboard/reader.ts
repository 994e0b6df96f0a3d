import type { FastifyRequest } from 'fastify'
import type { Account } from '../account.js'
import type { Assets } from './assets.js'
import { createFormats, type Formats } from './format.js'
import type { Html } from './html.js'
import { LANGUAGES, type Language, languageOf, type Theme, themeOf } from './preferences.js'
import type { Operator } from './session.js'
import { TEXTS, type Texts } from './texts.js'

/** The pages that the navigation leads to. */
export const SECTIONS = ['today', 'permits', 'history', 'user', 'messages', 'errors', 'health'] as const
export type Section = (typeof SECTIONS)[number]

/** Who reads a page, and how they like it. Everything that draws is given one. */
export interface Reader {
  language: Language
  theme: Theme
  texts: Texts
  format: Formats
  account: Account
  /** Where the pages of this account are. */
  home: string
  /** All accounts that the reader may turn to. */
  appIds: string[]
  assets: Assets
  /** Where the page is: the switches lead back to it. */
  path: string
  /** What the forms of the page carry. */
  formToken: string
  /** undefined before the sign-in. */
  operator: Operator | undefined
}

/** A language, ready to draw in without a reader: the live part of a page is drawn once for all. */
export interface Scribe {
  language: Language
  texts: Texts
  format: Formats
  account: Account
  /** Where the pages of this account are. */
  home: string
}

export interface Page {
  title: string
  section?: Section
  body: Html
  /** Scripts besides the frame's. */
  scripts?: ('charts.js' | 'live.js')[]
  /** Loads itself again, until it has something to show. */
  refreshSeconds?: number
  /** The same, where scripts do not keep it up to date. */
  refreshWithoutScripts?: boolean
}

export function createScribes(account: Account, home: string): Record<Language, Scribe> {
  const scribe = (language: Language): Scribe => ({
    language,
    texts: TEXTS[language],
    format: createFormats(language, account.timezone),
    account,
    home,
  })
  const [en, zh] = LANGUAGES.map(scribe) as [Scribe, Scribe]
  return { en, zh }
}

/** Makes readers of requests. */
export function createReaders(deps: {
  /** In the languages of the account that a request is about. */
  scribesOf(request: FastifyRequest): Record<Language, Scribe>
  /** All accounts that there are. */
  appIds(): string[]
  assets: Assets
}) {
  const { scribesOf, appIds, assets } = deps
  return (request: FastifyRequest, visit: { formToken: string; operator: Operator | undefined }): Reader => {
    const scribe = scribesOf(request)[languageOf(request)]
    return {
      ...scribe,
      theme: themeOf(request),
      appIds: appIds(),
      assets,
      path: request.method === 'GET' ? request.url : scribe.home,
      ...visit,
    }
  }
}
