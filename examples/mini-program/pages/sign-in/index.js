const { templateIds } = require('../../config')
const { app } = require('../../lib/app')

const today = () => new Date().toDateString()

Page({
  data: {
    /** Which the next tap asks for. */
    templateIds,
    /** Whether the next tap collects a formId. */
    collect: true,
    busy: false,
    /** Days in a row, today included; 0 while not signed in. */
    streak: 0,
    /** The day of the sign-in, by the phone. */
    signedInOn: '',
    reminded: false,
    failed: false,
  },

  async onShow() {
    // WeChat keeps a mini-program in the background for hours, so it may come back on another day.
    if (this.data.signedInOn !== today()) this.setData({ streak: 0, reminded: false })
    const { reminder } = app()
    const before = this.data.streak
    const [asking, day] = await Promise.all([reminder.whatToAsk(templateIds), reminder.today()])
    this.setData({ collect: asking.formId, templateIds: asking.templateIds })
    // Unless a tap came first, whose answer is newer.
    if (!day.ok || this.data.busy || this.data.streak !== before) return
    this.setData({ streak: day.streak, ...(day.signedIn && { signedInOn: today() }) })
  },

  /** The only tap: the sign-in starts here; permit-form and subscribe-tap get their share of the same tap. */
  async onSignIn() {
    if (this.data.busy || this.data.streak > 0) return
    this.setData({ busy: true, failed: false })
    const answer = await app().reminder.signIn()
    this.setData({
      busy: false,
      failed: !answer.ok,
      streak: answer.ok ? answer.streak : 0,
      signedInOn: today(),
    })
  },

  /** @param {WechatMiniprogram.CustomEvent<{ accepted: string[] }>} event */
  onAnswer({ detail }) {
    this.setData({ reminded: detail.accepted.length > 0 })
  },
})
