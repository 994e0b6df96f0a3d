const { app } = require('../../lib/app')
const { explainFailure, explainResult, isAccepted } = require('../../lib/subscribe')

/** Older clients refuse more (20003); newer ones take 5. */
const MOST_TEMPLATES = 3

/**
 * Asks for subscriptions in the tap on its content, all templates in one popup, and reports what the user answers for
 * each: an accept is one message of that template. The tap goes on to outer listeners.
 *
 *   <subscribe-tap template-ids="{{templateIds}}" ask="{{ask}}" bind:answer="onAnswer"><view>签到</view></subscribe-tap>
 *
 * A user who chose 总是保持以上选择 no longer sees a popup; each further tap still adds one message, silently. So put
 * it around what the user does every day anyway, and do not invent taps for it.
 */
Component({
  properties: {
    /** Pass what whatToAsk() says; of more than three, the first. @type {ArrayConstructor} */
    templateIds: Array,
    /** Whether to ask at all. */
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
          for (const id of tmplIds) {
            const result = results[id]
            if (!result) continue
            reminder.addSubscription(tap, id, result)
            const explanation = explainResult(id, result)
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
