import { type Html, html } from './html.js'
import { icon } from './icons.js'
import { LANGUAGES, THEMES } from './preferences.js'
import { type Page, type Reader, SECTIONS, type Section } from './reader.js'

/** Where all pages are, and what is the same for every account. */
export const ROOT = '/dashboard'

/** Where the pages of an account are; `isOnly`: there is no other. */
export function homeOf(appId: string, isOnly: boolean): string {
  return isOnly ? ROOT : `${ROOT}/accounts/${encodeURIComponent(appId)}`
}

function pathOf(home: string, section: Section): string {
  return section === 'today' ? home : `${home}/${section}`
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

function header(reader: Reader, current: Section | undefined): Html {
  const { texts, account, operator, home } = reader
  return html`<header class="top">
<a class="brand" href="${home}"><span class="mark" aria-hidden="true"></span><span>${texts.frame.product}<small>${account.appId}</small></span></a>
${operator && accountSwitch(reader, current)}
${
  operator &&
  html`<nav aria-label="${texts.frame.navigation}"><ul>${SECTIONS.map(
    (section) =>
      html`<li><a href="${pathOf(home, section)}"${section === current && html` aria-current="page"`}>${icon(section)}<span>${texts.frame.sections[section]}</span></a></li>`,
  )}</ul></nav>`
}
</header>`
}

/** The same page of the other accounts, where there are any. */
function accountSwitch({ texts, account, appIds }: Reader, current: Section = 'today'): Html | undefined {
  if (appIds.length < 2) return undefined
  return html`<details class="accounts"><summary>${texts.frame.account}${texts.frame.colon}${account.appId}</summary>
<ul>${appIds.map(
    (appId) =>
      html`<li><a href="${pathOf(homeOf(appId, false), current)}"${appId === account.appId && html` aria-current="true"`}>${appId}</a></li>`,
  )}</ul></details>`
}

function footer(reader: Reader): Html {
  const { texts, language, theme, operator } = reader
  return html`<footer class="bottom">
<form method="post" action="${ROOT}/preferences" class="switches">
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
  html`<form method="post" action="${ROOT}/sign-out" class="who">${formFields(reader)}<span>${operator.name}</span><button class="plain">${texts.frame.signOut}</button></form>`
}
</footer>`
}

/** What every form carries. */
export function formFields({ formToken }: Reader): Html {
  return html`<input type="hidden" name="form_token" value="${formToken}">`
}
