import { type Html, html } from './html.js'
import { icon } from './icons.js'
import { LANGUAGES, THEMES } from './preferences.js'
import { type Page, type Reader, SECTIONS, type Section } from './reader.js'

export const HOME = '/dashboard'

export function pathOf(section: Section): string {
  return section === 'today' ? HOME : `${HOME}/${section}`
}

/** A whole document: frame, navigation, and what the page has to say. */
export function document(reader: Reader, page: Page): Html {
  const { texts, language, theme, assets, operator } = reader
  return html`<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}" data-theme="${theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="${theme === 'system' ? 'light dark' : theme}">
<meta name="robots" content="noindex">
<title>${page.title} · ${texts.frame.product}</title>
${page.refreshSeconds !== undefined && html`<meta http-equiv="refresh" content="${page.refreshSeconds}">`}
${page.refreshWithoutScripts && html`<noscript><meta http-equiv="refresh" content="5"></noscript>`}
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${assets.urlOf('dashboard.css')}">
<script type="module" src="${assets.urlOf('frame.js')}"></script>
${page.scripts?.includes('charts.js') && html`<script defer src="${assets.urlOf('echarts.js')}"></script>`}
${page.scripts?.map((name) => html`<script type="module" src="${assets.urlOf(name)}"></script>`)}
</head>
<body class="${operator ? 'signed-in' : 'signed-out'}">
<a class="skip" href="#main">${texts.frame.skip}</a>
<div class="shell">
${header(reader, page.section)}
<main id="main" tabindex="-1">${page.body}</main>
${footer(reader)}
</div>
</body>
</html>
`
}

function header({ texts, account, operator }: Reader, current: Section | undefined): Html {
  return html`<header class="top">
<a class="brand" href="${HOME}"><span class="mark" aria-hidden="true"></span><span>${texts.frame.product}<small>${account.appId}</small></span></a>
${
  operator &&
  html`<nav aria-label="${texts.frame.navigation}"><ul>${SECTIONS.map(
    (section) =>
      html`<li><a href="${pathOf(section)}"${section === current && html` aria-current="page"`}>${icon(section)}<span>${texts.frame.sections[section]}</span></a></li>`,
  )}</ul></nav>`
}
</header>`
}

function footer(reader: Reader): Html {
  const { texts, language, theme, operator } = reader
  return html`<footer class="bottom">
<form method="post" action="${HOME}/preferences" class="switches">
${formFields(reader)}
<input type="hidden" name="back" value="${reader.path}">
<fieldset><legend>${texts.frame.language}</legend>${LANGUAGES.map(
    (one) =>
      html`<button name="language" value="${one}" lang="${one === 'zh' ? 'zh-CN' : 'en'}" aria-pressed="${one === language ? 'true' : 'false'}">${texts.frame.languages[one]}</button>`,
  )}</fieldset>
<fieldset><legend>${texts.frame.theme}</legend>${THEMES.map(
    (one) =>
      html`<button name="theme" value="${one}" aria-pressed="${one === theme ? 'true' : 'false'}">${texts.frame.themes[one]}</button>`,
  )}</fieldset>
</form>
${
  operator &&
  html`<form method="post" action="${HOME}/sign-out" class="who">${formFields(reader)}<span>${operator.name}</span><button class="plain">${texts.frame.signOut}</button></form>`
}
</footer>`
}

/** What every form carries. */
export function formFields({ formToken }: Reader): Html {
  return html`<input type="hidden" name="form_token" value="${formToken}">`
}
