/**
 * Today, while a run is under way: the server sends the live parts of the page whenever something has changed, drawn
 * and escaped by the same code that draws the page.
 */

const page = document.querySelector('[data-live]')
const drawn = new Map()
let source

function show(event) {
  const { state, parts } = JSON.parse(event.data)
  for (const [name, markup] of Object.entries(parts)) {
    if (drawn.get(name) === markup) continue
    drawn.set(name, markup)
    page.querySelector(`[data-part="${name}"]`).innerHTML = markup
  }
  for (const one of page.querySelectorAll('[data-when]'))
    one.hidden = !one.dataset.when.split(' ').includes(state)
}

function connect() {
  source = new EventSource(page.dataset.live)
  source.addEventListener('status', show)
  // The session is over: the sign-in page says so.
  source.addEventListener('bye', () => location.reload())
}

if (page) {
  connect()
  // Browsers open six connections to a server: tabs that nobody looks at leave them to the others.
  document.addEventListener('visibilitychange', () => {
    source.close()
    if (document.visibilityState === 'visible') connect()
  })
}
