import { expect, test } from 'vitest'
import { subscriptionTemplates, unknownTemplate } from '../../src/permits/known-templates.js'

const account = { channel: 'subscribe' as const, templateId: 'daily', templates: ['weekly', 'daily'] }

test('an account on subscribe collects the template of its reminder and those of TEMPLATES', () => {
  expect(subscriptionTemplates(account)).toEqual(['daily', 'weekly'])
  expect(subscriptionTemplates({ ...account, templateId: '' })).toEqual(['weekly', 'daily'])
})

test('an account on form_id collects those of TEMPLATES, for the day on which it moves', () => {
  expect(subscriptionTemplates({ ...account, channel: 'form_id' })).toEqual(['weekly'])
  expect(unknownTemplate({ ...account, channel: 'form_id', templates: [] }, 'old').message).toBe(
    'template_id: this account has no template old; it takes subscriptions to none. To collect subscriptions while it still sends on form_id, add the template to TEMPLATES',
  )
})

test('a service account collects none, and says why', () => {
  expect(subscriptionTemplates({ ...account, channel: 'official' })).toEqual([])
  expect(unknownTemplate({ ...account, channel: 'official' }, 'daily')).toMatchObject({
    code: 'unknown_template',
    message: expect.stringContaining('needs no subscriptions'),
    details: { template_id: 'daily', known: [] },
  })
})
