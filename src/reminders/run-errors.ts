import { findingOf, findingWithoutCode } from '../findings/by-code.js'
import { type FindingName, KNOWN_ERRORS } from '../findings/catalogue.js'
import { groupBy } from '../lib/group-by.js'
import { isoTime } from '../lib/iso-time.js'
import type { Cause } from '../messages/cause.js'
import { type ErrcodeEntry, errcodeOf, httpStatusEntry } from '../wechat/errcodes.js'
import type { RunError } from './status-schemas.js'
import type { OutcomeRow } from './status-store.js'
import { WHAT_TO_DO, WITHOUT_CODE } from './what-to-do.js'

const MAX_SAMPLES = 5
const ERRORS: ReadonlySet<string> = new Set(['failed', 'unknown', 'cancelled', 'retried', 'next_permit'])

/** The answers of a run that were not an acceptance, by code, template and outcome, the most frequent first. */
export function errorsOf(outcomes: OutcomeRow[]): RunError[] {
  const errors = outcomes.filter(({ outcome }) => ERRORS.has(outcome))
  const alike = groupBy(errors, (row) =>
    JSON.stringify([row.outcome, row.errcode, row.cause, row.template_id]),
  )
  return [...alike.values()]
    .flatMap((shards) => toError(shards) ?? [])
    .sort((a, b) => b.count - a.count || (a.errcode ?? 0) - (b.errcode ?? 0))
}

/** undefined if all of these messages have left the outcome again. */
function toError(shards: OutcomeRow[]): RunError | undefined {
  const [first] = shards
  const count = shards.reduce((sum, { messages }) => sum + messages, 0)
  if (!first || count <= 0) return undefined
  const newest = [...shards].sort((a, b) => (b.last_seen_at ?? 0) - (a.last_seen_at ?? 0))
  return {
    ...explanationOf(first),
    template_id: first.template_id,
    outcome: first.outcome,
    count,
    first_seen_at: isoTime(earliest(shards.map(({ first_seen_at }) => first_seen_at))),
    last_seen_at: isoTime(newest[0]?.last_seen_at),
    sample_rids: samples(newest.map(({ sample_rid }) => sample_rid)),
    sample_message_ids: samples(newest.map(({ sample_message_id }) => sample_message_id)),
  }
}

type Explanation = Pick<
  RunError,
  | 'errcode'
  | 'name'
  | 'class'
  | 'finding'
  | 'meaning'
  | 'meaning_zh'
  | 'what_to_do'
  | 'what_to_do_zh'
  | 'fix'
  | 'fix_zh'
>

function explanationOf({ errcode, cause }: OutcomeRow): Explanation {
  if (errcode === 0) {
    const { meaning, whatToDo } = WITHOUT_CODE[cause as Cause] ?? WITHOUT_CODE.other
    return {
      errcode: null,
      name: cause === '' ? 'other' : cause,
      class: cause === '' ? 'other' : cause,
      ...fixOf(findingWithoutCode(cause)),
      meaning: meaning.en,
      meaning_zh: meaning.zh,
      what_to_do: whatToDo.en,
      what_to_do_zh: whatToDo.zh,
    }
  }
  const entry = entryOf(errcode)
  const whatToDo = WHAT_TO_DO[entry.class]
  return {
    errcode,
    name: entry.name,
    class: entry.class,
    ...fixOf(findingOf(entry)),
    meaning: entry.meaning,
    meaning_zh: entry.meaning_zh,
    what_to_do: whatToDo.en,
    what_to_do_zh: whatToDo.zh,
  }
}

function fixOf(finding: FindingName | null): Pick<RunError, 'finding' | 'fix' | 'fix_zh'> {
  const fix = finding && KNOWN_ERRORS[finding].fix
  return { finding, fix: fix?.en ?? null, fix_zh: fix?.zh ?? null }
}

/** What stands for an errcode on a message: WeChat's, or the status of an HTTP answer that was not WeChat's. */
export function entryOf(errcode: number): ErrcodeEntry {
  return httpStatusEntry(errcode) ?? errcodeOf(errcode)
}

function earliest(times: (number | null)[]): number | null {
  const known = times.filter((time) => time !== null)
  return known.length === 0 ? null : Math.min(...known)
}

function samples<T>(values: (T | null)[]): T[] {
  return [...new Set(values.filter((value) => value !== null))].slice(0, MAX_SAMPLES)
}
