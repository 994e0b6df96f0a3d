import { type Html, html } from './html.js'

/** Drawn here, so that nothing is loaded for them. They only repeat what the words beside them say. */
const PATHS = {
  today: html`<circle cx="10" cy="10" r="7.2"/><path d="M10 5.8V10l2.9 1.9"/>`,
  permits: html`<path d="M3 7.2V5.5h14v1.7a2.8 2.8 0 0 0 0 5.6v1.7H3v-1.7a2.8 2.8 0 0 0 0-5.6z"/><path d="M11.8 7.6v.6m0 3.6v.6"/>`,
  history: html`<path d="M3.5 16.5v-5.2m4.4 5.2V6.2m4.3 10.3V9m4.3 7.5V3.5"/>`,
  user: html`<circle cx="10" cy="6.8" r="3.3"/><path d="M3.6 17c.6-3.4 3.2-5.2 6.4-5.2s5.800 1.8 6.400 5.2"/>`,
  messages: html`<path d="M3 4.500h14v9.600H9.200L5.800 17v-2.900H3z"/><path d="M6.500 8h7m-7 2.900h4.500"/>`,
  errors: html`<path d="M10 3.2 17.500 16.500h-15z"/><path d="M10 8.200v3.800m0 2.100v.1"/>`,
  health: html`<path d="M2.500 10.500h3.700L8.300 5l3.500 10.200 2.200-4.700h3.500"/>`,
  ok: html`<circle cx="10" cy="10" r="7.200"/><path d="m6.800 10.300 2.200 2.200 4.300-4.800"/>`,
  stop: html`<path d="M6.900 2.800h6.200l4.100 4.100v6.200l-4.100 4.100H6.900l-4.100-4.100V6.900z"/><path d="M10 6.300v4.500m0 2.700v.1"/>`,
  pause: html`<circle cx="10" cy="10" r="7.200"/><path d="M8.200 7.200v5.600m3.600-5.600v5.600"/>`,
  info: html`<circle cx="10" cy="10" r="7.2"/><path d="M10 9.2v4.400m0-7v.1"/>`,
  wait: html`<circle cx="10" cy="10" r="7.200"/><path d="M10 6.200V10l2.600 1.600"/>`,
  running: html`<path d="M16.800 8A7.100 7.100 0 1 0 17 11.500"/><path d="M17.200 3.900V8.100h-4.200"/>`,
  card: html`<path d="M3 4.500h14v9.600H9.200L5.800 17v-2.900H3z"/>`,
  signIn: html`<path d="M11.500 3.500h5v13h-5M3.500 10h8.700M9.300 6.900l3.100 3.100-3.100 3.100"/>`,
  next: html`<path d="m7.800 4.800 5 5.200-5 5.200"/>`,
} as const

export type IconName = keyof typeof PATHS

export function icon(name: IconName): Html {
  return html`<svg class="icon icon-${name}" viewBox="0 0 20 20" aria-hidden="true" focusable="false">${PATHS[name]}</svg>`
}
