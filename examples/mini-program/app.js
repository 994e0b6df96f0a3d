const config = require('./config')
const { createReminder } = require('./lib/reminder')

App({
  /** One for the whole app: pages and components reach it by getApp().reminder. */
  reminder: createReminder(config, {
    wx,
    now: Date.now,
    random: Math.random,
    setTimeout,
    clearTimeout,
    console,
  }),

  onShow() {
    this.reminder.wake()
  },
})
