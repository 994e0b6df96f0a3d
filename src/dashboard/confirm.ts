import { pageHead } from './components.js'
import { html, type Part } from './html.js'
import { formFields } from './layout.js'
import type { Page, Reader, Section } from './reader.js'

export interface Question {
  section: Section
  title: string
  lead: string
  /** What else stands in the form: fields, or what it is about. */
  body?: Part
  button: string
  /** Where the form goes. */
  action: string
  back?: string
}

/** Asks once before something is done. */
export function confirmPage(reader: Reader, question: Question): Page {
  const { texts, operator } = reader
  const { section, title, lead, body, button, action, back = reader.home } = question
  return {
    title,
    section,
    body: html`${pageHead(title)}
<form method="post" action="${action}" class="panel form">${formFields(reader)}
<p class="prose">${lead}</p>
${body}
<p class="hint">${texts.actions.recorded(operator?.name ?? '')}</p>
<div class="buttons"><button class="main">${button}</button><a class="button" href="${back}">${texts.frame.cancel}</a></div>
</form>`,
  }
}
