import type { Knex } from 'knex'
import { errcodeOf, httpStatusEntry } from '../wechat/errcodes.js'
import { countStates, MOST_COUNTED } from './count-store.js'
import { countDead, type DeadFilter } from './dead-store.js'

export interface RequeuePreview {
  /** Dead letters that the filter means. */
  dead: number
  /** Of these, those whose not_after is over: without a new one they stay as they are. */
  late: number
  /** false: there are more dead letters than are looked at for a preview. */
  all_counted: boolean
  errors: { errcode: number | null; name: string; meaning: string; meaning_zh: string; count: number }[]
}

/**
 * What queueing dead letters again would take up. It looks at no more than MOST_COUNTED of them, the oldest, so it answers
 * at once, however many there are.
 */
export async function previewRequeue(
  db: Knex,
  appId: string,
  filter: DeadFilter,
  now: number,
): Promise<RequeuePreview> {
  const [all] = await countStates(db, appId, ['dead'])
  const codes = await countDead(db, appId, filter, { looks: MOST_COUNTED, now })
  const sum = (of: 'messages' | 'late') => codes.reduce((total, code) => total + code[of], 0)
  return {
    dead: sum('messages'),
    late: sum('late'),
    all_counted: all?.isAll ?? true,
    errors: codes.map(({ errcode, messages }) => ({ ...meaningOf(errcode), count: messages })),
  }
}

function meaningOf(errcode: number | null): Omit<RequeuePreview['errors'][number], 'count'> {
  if (errcode === null)
    return {
      errcode,
      name: 'without_code',
      meaning: 'No code of WeChat: it could not be reached, or did not answer clearly.',
      meaning_zh: '没有微信错误码：无法连接微信，或没有明确应答。',
    }
  const { name, meaning, meaning_zh } = httpStatusEntry(errcode) ?? errcodeOf(errcode)
  return { errcode, name, meaning, meaning_zh }
}
