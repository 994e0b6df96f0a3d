const { app } = require('../../lib/app')

/**
 * Turns any tap on its content into the submit of a form, and keeps the formId that it gives: one for each
 * tap.
 *
 *   <permit-form page="pages/sign-in/index" bind:formid="onFormId"><view bind:tap="onTap">签到</view></permit-form>
 *
 * Nested forms would give several formIds for one tap. Do not nest them: WeChat's policy calls luring formIds
 * out of users abuse, and takes away first the template and in the end the right to send. Nor is more than
 * one a day useful.
 *
 * Do the work of the tap in bind:tap, not in bind:formid, which comes later (up to `timeout`), or without a
 * formId.
 */
Component({
  properties: {
    /** The page of this form, which is reported to the service. */
    page: { type: String, value: '' },
    /** Whether to ask WeChat for a formId; the tap works either way. */
    collect: { type: Boolean, value: true },
    disabled: { type: Boolean, value: false },
    /**
     * How long, in ms, WeChat may check that the formId took effect. Without a check, a few are void and
     * nobody notices.
     */
    timeout: { type: Number, value: 2000 },
  },

  methods: {
    /** @param {WechatMiniprogram.FormSubmit} event */
    onSubmit({ detail }) {
      if (!this.data.collect) return
      const usable = app().reminder.addFormId(detail.formId, this.data.page)
      this.triggerEvent('formid', { formId: usable ? detail.formId : null })
    },
  },
})
