const { app } = require('../../lib/app')
const { explainFailure, explainResult, isAccepted } = require('../../lib/subscribe')

/** WeChat refuses more (20003). */
const MOST_TEMPLATES = 5

/**
 * Asks for subscriptions in the tap on its content, and keeps what the user accepts: each accept is one
 * message. The tap goes on to outer listeners.
 *
 *   <subscribe-tap template-ids="{{templateIds}}" ask="{{ask}}" bind:answer="onAnswer"><view>签到</view></subscribe-tap>
 *
 * A user who chose 总是保持以上选择 no longer sees a popup; each further tap still adds one message, silently. So put
 * it around what the user does every day anyway, and do not invent taps for it.
 */
Component({
  properties: {
    /** @type {ArrayConstructor} */
    templateIds: Array,
    /** Whether to ask at all: pass what isAskingUseful() says. */
    ask: { type: Boolean, value: true },
  },

  methods: {
    onTap() {
      const { reminder } = app()
      /** @type {string[]} */
      const tmplIds = this.data.templateIds.slice(0, MOST_TEMPLATES)
      if (!this.data.ask || tmplIds.length === 0) return
      if (typeof wx.requestSubscribeMessage !== 'function') {
        reminder.hint('this WeChat is too old for subscribe messages (base library 2.4.4)')
        return
      }
      const tap = reminder.newTap()
      // In the tap itself: after an await WeChat no longer counts it as the user's action.
      wx.requestSubscribeMessage({
        tmplIds,
        success: (results) => {
          const accepted = tmplIds.filter((id) => isAccepted(results[id] || ''))
          for (const templateId of accepted) {
            reminder.addSubscription(tap, templateId, results[templateId] || '')
          }
          for (const id of tmplIds) {
            const explanation = explainResult(id, results[id] || '')
            if (explanation !== undefined) reminder.hint(explanation)
          }
          this.triggerEvent('answer', { accepted })
        },
        fail: (failure) => {
          reminder.hint(explainFailure(failure))
          this.triggerEvent('answer', { accepted: [] })
        },
      })
    },
  },
})
