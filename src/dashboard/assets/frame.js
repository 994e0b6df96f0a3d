/** Every page works without scripts; this only makes it a little nicer. */

// A second click on a button that is at work would send the form twice.
for (const form of document.querySelectorAll('form')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent === 'yes') event.preventDefault()
    form.dataset.sent = 'yes'
  })
}
// Back in the history, the page is shown as it was left.
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form')) delete form.dataset.sent
})

// On a phone the navigation scrolls sideways: show where we are.
document.querySelector('.top nav [aria-current]')?.scrollIntoView?.({ block: 'nearest', inline: 'center' })
