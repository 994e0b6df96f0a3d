import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import { eventually } from '../helpers/eventually.js'

/** Where the mini-program is. */
export const KIT = fileURLToPath(new URL('../../examples/mini-program', import.meta.url))

/**
 * What jsdom, miniprogram-simulate and its renderer have, as far as it is used here: one has no types, those of the
 * others drag WeChat's globals in.
 */
interface Element {
  innerHTML: string
  querySelector(selector: string): Element | null
  closest(selector: string): Element | null
}
interface Dom {
  window: Record<string, unknown> & { document: { createElement(tag: string): Element } }
}
interface Simulate {
  load(path: string, options: { rootPath: string; compiler: 'official' | 'simulate' }): string
  render(id: string, properties: object): Rendered
}
interface Rendered {
  data: Record<string, unknown>
  querySelector(selector: string): { dom: Element; dispatchEvent(name: string): void } | undefined
  addEventListener(name: string, listener: (event: { detail: unknown }) => void): void
  attach(parent: Element): void
  detach(): void
  triggerPageLifeTime(name: string): void
}
interface Node {
  _vt: { attrs: { name: string; value: unknown }[] }
}
interface Exparser {
  Event: {
    create(name: string, detail: object, options: object): object
    dispatchEvent(node: Node, event: object): void
  }
}

export interface Screen {
  html(): string
  readonly data: Record<string, unknown>
  /** What a listener outside was told, in order. */
  heard: { name: string; detail: unknown }[]
  /**
   * A finger on the first element of this class. As in WeChat, the tap goes up, and a submit button around it submits its
   * form, which gives `formId` if it has report-submit.
   */
  tap(selector: string, formId?: string): Promise<void>
  /** An element by its tag, at any depth. */
  find(tag: string): Element | null
  on(event: string, listener: () => void): void
  wait(condition: () => boolean): Promise<void>
  /** Waits for this text. */
  until(text: string): Promise<void>
  /** As WeChat does when the page comes to the front. */
  show(): void
  close(): void
}

const WAIT_MS = 5_000
/** WeChat's own compiler is a program for x64; elsewhere the simulator's has to do. */
const COMPILER = process.arch === 'x64' ? 'official' : 'simulate'

const globals = globalThis as Record<string, unknown>
const require = createRequire(import.meta.url)
interface Renderer {
  simulate: Simulate
  exparser: Exparser
  document: Dom['window']['document']
  /** What it finds a browser by. */
  browser: Record<string, unknown>
}
let renderer: Renderer | undefined

/** Screens for the tests of a file. The next file in this process finds Node's own globals again. */
export function useScreens(): void {
  let before: Record<string, unknown> = {}
  beforeAll(() => {
    const names = ['window', 'document', 'Event', 'CustomEvent', 'TouchEvent', 'wx', 'getApp', 'App']
    before = Object.fromEntries(names.map((name) => [name, globals[name]]))
    if (renderer) Object.assign(globals, renderer.browser)
    else renderer = loadRenderer()
  })
  afterAll(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete globals[name]
      else globals[name] = value
    }
  })
}

/** A DOM of its own and not vitest's jsdom environment: that replaces what the real service next to it runs on. */
function loadRenderer(): Renderer {
  const { JSDOM } = require('jsdom') as { JSDOM: new (html: string) => Dom }
  const { window } = new JSDOM('<!doctype html><body></body>')
  const { document, Event, CustomEvent, TouchEvent } = window
  const browser = { window, document, Event, CustomEvent, TouchEvent }
  Object.assign(globals, browser)
  const simulate = require('miniprogram-simulate') as Simulate
  const exparser = createRequire(require.resolve('j-component'))('miniprogram-exparser') as Exparser
  // The simulator knows components only. A page is one whose functions are its methods.
  globals.Page = ({ data, ...functions }: { data: object; onShow?: () => void }) => {
    const Component = globals.Component as (definition: object) => void
    Component({ data, methods: functions, pageLifetimes: { show: functions.onShow } })
  }
  return { simulate, exparser, document, browser }
}

/** Renders a page or component of the kit, with `wx` and the app that it finds. */
export function openScreen(
  path: string,
  phone: { wx: object; app: object },
  { properties = {}, events = [] }: { properties?: object; events?: string[] } = {},
): Screen {
  if (!renderer) throw new Error('Screens are there where useScreens() was called')
  const { simulate, exparser, document } = renderer
  Object.assign(globals, { wx: phone.wx, getApp: () => phone.app })
  const rendered = simulate.render(
    simulate.load(`${KIT}/${path}`, { rootPath: KIT, compiler: COMPILER }),
    properties,
  )
  const parent = document.createElement('div')
  rendered.attach(parent)
  const heard: Screen['heard'] = []
  for (const name of events) rendered.addEventListener(name, ({ detail }) => heard.push({ name, detail }))

  return {
    html: () => parent.innerHTML,
    get data() {
      return rendered.data
    },
    heard,
    async tap(selector, formId) {
      const touched = rendered.querySelector(selector)
      if (!touched) throw new Error(`nothing with ${selector} in ${parent.innerHTML}`)
      touched.dispatchEvent('tap')
      await Promise.resolve()
      submitAround(exparser, touched.dom, formId)
    },
    find: (tag) => parent.querySelector(tag),
    on: (event, listener) => rendered.addEventListener(event, listener),
    wait: async (condition) => {
      await eventually('the screen to change', condition, WAIT_MS)
    },
    until: async (text) => {
      await eventually(`"${text}" on the screen`, () => parent.innerHTML.includes(text), WAIT_MS)
    },
    show: () => rendered.triggerPageLifeTime('show'),
    close: () => rendered.detach(),
  }
}

/** Runs app.js as WeChat does, and answers what it hands to App(). */
export function loadApp(wx: object): { reminder: object; onShow(): void } {
  let app: { reminder: object; onShow(): void } | undefined
  Object.assign(globals, { wx, App: (options: typeof app) => (app = options) })
  require(`${KIT}/app.js`)
  if (!app) throw new Error('app.js did not call App()')
  return app
}

function submitAround(exparser: Exparser, dom: Element, formId: string | undefined): void {
  const button = attributesOf(dom.closest('wx-button'))
  const form = dom.closest('wx-form')
  if (!form || button.formType !== 'submit' || button.disabled === true) return
  const detail = attributesOf(form).reportSubmit === true ? { formId, value: {} } : { value: {} }
  exparser.Event.dispatchEvent(nodeOf(form), exparser.Event.create('submit', detail, {}))
}

/** What the template says of an element, by names in camelCase: one compiler writes them so, the other as they are. */
export function attributesOf(element: Element | null): Record<string, unknown> {
  if (!element) return {}
  return Object.fromEntries(nodeOf(element)._vt.attrs.map(({ name, value }) => [camelCase(name), value]))
}

const camelCase = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

function nodeOf(element: Element): Node {
  return (element as unknown as { __wxElement: Node }).__wxElement
}
