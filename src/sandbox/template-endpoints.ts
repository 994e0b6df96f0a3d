import { admitPost, admitToken } from './admit.js'
import type { Call } from './call.js'
import { done, plain, type Reply, refuse, refuseWith } from './replies.js'
import type { World } from './world.js'

export const FORM_ID_LIST_PATH = '/cgi-bin/wxopen/template/list'
export const SUBSCRIBE_LIST_PATH = '/wxaapi/newtmpl/gettemplate'
export const OFFICIAL_LIST_PATH = '/cgi-bin/template/get_all_private_template'

const PAGE_SIZE = 20

// An account that takes every template id has no list of them: 48001, as if it had no such interface.

/** The templates of form_id messages, a page at a time. */
export function listFormIdTemplates(world: World, call: Call): Reply {
  const admitted = admitPost(world, call)
  if ('refusal' in admitted) return admitted.refusal
  const { account, body } = admitted
  const templates = account.has('form_id') ? account.templates('form_id') : undefined
  if (!templates) return refuse(48001)
  if (world.retired) return refuse(45103)
  const { offset, count } = body
  if (!isCount(offset) || !isCount(count) || count > PAGE_SIZE) return refuse(40097)
  const page = templates.slice(offset, offset + count)
  const list = page.map(({ id, title, content, example }) => ({ template_id: id, title, content, example }))
  return done({ list })
}

/**
 * The templates of subscribe messages. A service account's token is answered with its 订阅通知, another product, of which
 * the sandbox has none.
 */
export function listSubscribeTemplates(world: World, call: Call): Reply {
  // Its page lists a 404 for the wrong method, and says to check it.
  if (call.method !== 'GET') return refuseWith(404, '404 not found')
  const admitted = admitToken(world, call)
  if ('refusal' in admitted) return admitted.refusal
  const { account } = admitted
  const templates = account.has('subscribe') ? account.templates('subscribe') : []
  if (!templates) return refuse(48001)
  const data = templates.map(({ id, title, content, example, type, enums = {} }) => {
    const lists = Object.entries(enums).map(([key, enumValueList]) => ({
      enumValueList,
      // With the suffix, as in the page's sample, although its text calls it the key.
      keywordCode: `${key}.DATA`,
    }))
    const keywordEnumValueList = lists.length > 0 ? { keywordEnumValueList: lists } : {}
    return { priTmplId: id, title, content, example, ...keywordEnumValueList, type }
  })
  return done({ data })
}

/** The templates of a service account; its answer has no errcode. */
export function listOfficialTemplates(world: World, call: Call): Reply {
  if (call.method !== 'GET') return refuse(43001)
  const admitted = admitToken(world, call)
  if ('refusal' in admitted) return admitted.refusal
  const { account } = admitted
  const templates = account.has('official') ? account.templates('official') : undefined
  if (!templates) return refuse(48001)
  const template_list = templates.map(({ id, title, content, example }) => ({
    template_id: id,
    title,
    primary_industry: '',
    deputy_industry: '',
    content,
    example,
  }))
  return plain({ template_list })
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0
}
