import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { accept } from '../../src/permits/accept.js'
import { KIT } from './screen.js'

const { whyUnusable } = createRequire(import.meta.url)(`${KIT}/lib/form-id.js`) as {
  whyUnusable(formId: unknown): string | undefined
}

test.each([
  ['3a5f0c9b2e7d4f6188aa10b2c3d4e5f6', undefined],
  ['  3a5f0c9b2e7d4f6188aa10b2c3d4e5f6 ', undefined],
  ['1574650395123', undefined],
  ['the formId is a mock one', /DevTools/],
  [' The FormId is a mock one', /DevTools/],
  ['the formId is no longer available in develop or trial version of this mini program', /trial/],
  ['requestFormId:fail deprecated', /withdrew/],
  ['requestFormId:fail timeout', /timeout/],
  ['', /report-submit/],
  ['undefined', /report-submit/],
  ['null', /report-submit/],
])('judges %j as the service does', (formId, hint) => {
  const person = { appId: 'wx', openId: 'o', userId: 1 }
  const upload = { ...person, source: 'form' as const, formId, page: undefined, submittedAt: undefined }
  expect(accept(upload, Date.now()).ok).toBe(hint === undefined)
  if (hint === undefined) expect(whyUnusable(formId)).toBeUndefined()
  else expect(whyUnusable(formId)).toMatch(hint)
})

test.each([[undefined], [null], [17], [{}]])('takes %j for no formId', (formId) => {
  expect(whyUnusable(formId)).toMatch(/report-submit/)
})
