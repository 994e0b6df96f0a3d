import { html as escaping } from 'ghtml'

/** Markup that is safe to send. Only this file makes one, so text that somebody else wrote is always escaped. */
export class Html {
  readonly #markup: string

  private constructor(markup: string) {
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }

  /** The template with its parts filled in: markup as it is, everything else escaped. */
  static of(literals: readonly string[], parts: readonly Part[]): Html {
    return new Html(
      literals.map((literal, i) => literal + (i < parts.length ? markupOf(parts[i]) : '')).join(''),
    )
  }

  /** Data for a script of ours. `<` is written so that no text can end the block. */
  static json(id: string, value: unknown): Html {
    const text = JSON.stringify(value).replaceAll('<', '\\u003c')
    return new Html(`<script type="application/json" id="${markupOf(id)}">${text}</script>`)
  }
}

/** What may stand in a template. Nothing is shown for false, null and undefined. */
export type Part = Html | string | number | bigint | false | null | undefined | readonly Part[]

/** Tag of templates: `html\`<p>${text}</p>\``. */
export function html(literals: TemplateStringsArray, ...parts: Part[]): Html {
  return Html.of(literals, parts)
}

function markupOf(part: Part): string {
  if (part === false || part === null || part === undefined) return ''
  if (part instanceof Html) return part.toString()
  if (Array.isArray(part)) return part.map(markupOf).join('')
  return escaping`${String(part)}`
}
