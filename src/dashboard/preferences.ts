import type { FastifyRequest } from 'fastify'

export const LANGUAGES = ['en', 'zh'] as const
export type Language = (typeof LANGUAGES)[number]

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

export const LANGUAGE_COOKIE = 'dashboard_language'
export const THEME_COOKIE = 'dashboard_theme'

/** The one that was chosen, else the one that the browser prefers. */
export function languageOf({ cookies, headers }: FastifyRequest): Language {
  return (
    LANGUAGES.find((language) => language === cookies[LANGUAGE_COOKIE]) ??
    preferred(headers['accept-language'] ?? '')
  )
}

/** `system` until one was chosen. */
export function themeOf({ cookies }: FastifyRequest): Theme {
  return THEMES.find((theme) => theme === cookies[THEME_COOKIE]) ?? 'system'
}

function preferred(acceptLanguage: string): Language {
  const wishes = acceptLanguage.split(',').map((wish) => {
    const [, language = '', weight = '1'] =
      /^\s*([a-z]{2,3})(?:-[\w-]+)?\s*(?:;\s*q=([\d.]+))?\s*$/i.exec(wish) ?? []
    return { language: language.toLowerCase(), weight: Number(weight) }
  })
  const known = wishes
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .flatMap(({ language }) => LANGUAGES.find((one) => one === language) ?? [])
  return known[0] ?? 'en'
}
