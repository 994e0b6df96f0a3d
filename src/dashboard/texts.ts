import type { Language } from './preferences.js'
import { actions as actionsEn } from './texts/en/actions.js'
import { card as cardEn, frame as frameEn, signIn as signInEn } from './texts/en/frame.js'
import { today as todayEn } from './texts/en/today.js'
import { actions as actionsZh } from './texts/zh/actions.js'
import { card as cardZh, frame as frameZh, signIn as signInZh } from './texts/zh/frame.js'
import { today as todayZh } from './texts/zh/today.js'

const en = { frame: frameEn, signIn: signInEn, card: cardEn, actions: actionsEn, today: todayEn }

/** Every word that a page says. Each language has its table, and a text that one of them lacks does not compile. */
export type Texts = typeof en

const zh: Texts = { frame: frameZh, signIn: signInZh, card: cardZh, actions: actionsZh, today: todayZh }

export const TEXTS: Record<Language, Texts> = { en, zh }
