import type { Language } from './preferences.js'
import * as en from './texts/en/index.js'
import * as zh from './texts/zh/index.js'

/** Every word that a page says. Each language has its table, and a text that one of them lacks does not compile. */
export type Texts = typeof en

export const TEXTS: Record<Language, Texts> = { en, zh }
