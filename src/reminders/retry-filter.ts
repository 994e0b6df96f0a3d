import type { ErrcodeClass } from '../wechat/errcodes.js'
import type { FailedMessage } from './retry-store.js'
import { entryOf } from './run-errors.js'

/** Which failed reminders are meant; what is left out does not matter. */
export interface RetryFilter {
  /** Today's date (YYYYMMDD), for whoever asks around midnight. */
  date?: number
  errcode?: number
  class?: ErrcodeClass
  templateId?: string
}

/** Whether a message with a code of WeChat is meant. */
export function matches(
  filter: RetryFilter,
): (message: Pick<FailedMessage, 'errcode' | 'template_id'>) => boolean {
  return ({ errcode, template_id }) =>
    errcode !== null &&
    (filter.errcode === undefined || errcode === filter.errcode) &&
    (filter.class === undefined || entryOf(errcode).class === filter.class) &&
    (filter.templateId === undefined || template_id === filter.templateId)
}
