/**
 * Today, while a run is under way: the server sends the live part of the page whenever something has changed, drawn
 * and escaped by the same code that draws the page.
 */

const region = document.querySelector('[data-live]')
if (region) {
  const source = new EventSource(region.dataset.live)
  let drawn = region.innerHTML
  source.addEventListener('status', (event) => {
    const { state, markup } = JSON.parse(event.data)
    if (markup !== drawn) region.innerHTML = markup
    drawn = markup
    for (const one of document.querySelectorAll('[data-when]'))
      one.hidden = !one.dataset.when.split(' ').includes(state)
  })
  // The session is over: the sign-in page says so.
  source.addEventListener('bye', () => {
    source.close()
    location.reload()
  })
  addEventListener('pagehide', () => source.close())
  addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload()
  })
}
