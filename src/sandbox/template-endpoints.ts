import type { ListedTemplate } from './accounts.js'
import type { Call } from './call.js'
import type { Errcode } from './errors.js'
import { plain, type Reply, refuse } from './replies.js'
import type { World } from './world.js'

export const FORM_ID_LIST_PATH = '/cgi-bin/wxopen/template/list'
export const SUBSCRIBE_LIST_PATH = '/wxaapi/newtmpl/gettemplate'
export const OFFICIAL_LIST_PATH = '/cgi-bin/template/get_all_private_template'

const MAX_COUNT = 20

/** POST /cgi-bin/wxopen/template/list {offset, count}: templates of the old kind, at most 20 at once. */
export function listFormIdTemplates(world: World, call: Call): Reply {
  if (call.method !== 'POST') return refuse(43002)
  const templates = templatesOf(world, call)
  if ('errcode' in templates) return refuse(templates.errcode)
  const { offset, count } = call.body ?? {}
  const [from, size] = [
    typeof offset === 'number' ? offset : 0,
    typeof count === 'number' ? count : MAX_COUNT,
  ]
  const page = templates.list.slice(from, from + Math.min(size, MAX_COUNT))
  return plain({
    errcode: 0,
    errmsg: 'ok',
    list: page.map((each) => ({ template_id: each.id, ...common(each) })),
  })
}

/** GET /wxaapi/newtmpl/gettemplate: subscribe templates, with their types and enumerations. */
export function listSubscribeTemplates(world: World, call: Call): Reply {
  const templates = templatesOf(world, call)
  if ('errcode' in templates) return refuse(templates.errcode)
  const data = templates.list.map((each) => ({
    priTmplId: each.id,
    ...common(each),
    type: each.type,
    keywordEnumValueList: Object.entries(each.enums).map(([key, enumValueList]) => ({
      keywordCode: `${key}.DATA`,
      enumValueList,
    })),
  }))
  return plain({ errcode: 0, errmsg: 'ok', data })
}

/** GET /cgi-bin/template/get_all_private_template: of a service account; its answer has no errcode. */
export function listOfficialTemplates(world: World, call: Call): Reply {
  const templates = templatesOf(world, call)
  if ('errcode' in templates) return refuse(templates.errcode)
  return plain({
    template_list: templates.list.map((each) => ({
      template_id: each.id,
      primary_industry: '',
      deputy_industry: '',
      ...common(each),
    })),
  })
}

function templatesOf(world: World, call: Call): { list: ListedTemplate[] } | { errcode: Errcode } {
  const verified = world.tokens.verify(call.accessToken, world.clock.now())
  if ('errcode' in verified) return verified
  // An account that takes every template id has no list of them.
  const list = world.accounts.named(verified.appId).templateList()
  return list ? { list } : { errcode: 48001 }
}

function common({ keys }: ListedTemplate): { title: string; content: string; example: string } {
  return {
    title: '签到提醒',
    content: keys.map((key) => `${key}:{{${key}.DATA}}\n`).join(''),
    example: keys.map((key) => `${key}:…\n`).join(''),
  }
}
