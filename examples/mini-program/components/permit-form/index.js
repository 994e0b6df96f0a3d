const { app } = require('../../lib/app')

/**
 * Turns any tap on what is inside into the submit of a form, and keeps the formId that it gives: one for each tap.
 *
 *   <permit-form page="pages/sign-in/index" bind:formid="onFormId"><view bind:tap="onTap">签到</view></permit-form>
 *
 * Forms inside forms would give several formIds for one tap. Do not: WeChat's policy names luring formIds out of users as
 * abuse, and takes the template first and the right to send in the end. Nor is there use for more than one a day.
 *
 * Do what the tap means in bind:tap, not in bind:formid, which comes later (up to `timeout`), or without a formId.
 */
Component({
  properties: {
    /** Where this form is, told to the service. */
    page: { type: String, value: '' },
    /** Whether to ask WeChat for a formId; the tap works all the same. */
    collect: { type: Boolean, value: true },
    disabled: { type: Boolean, value: false },
    /** How long, in ms, WeChat may check that the formId took effect. Without a check, a few are void unnoticed. */
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
