import type { Bilingual } from '../lib/bilingual.js'
import type { FindingName } from './catalogue.js'

/** What a check says about one thing that a run needs. */
export interface Finding {
  /** What was looked at. */
  name: string
  status: 'ok' | 'warn' | 'fail'
  /** Which of the known errors it is, see docs/troubleshooting.md; absent if it is none of them. */
  finding?: FindingName
  /** What was found. */
  reason: string
  reason_zh: string
  /** What to do about it; absent if there is nothing to do. */
  fix?: string
  fix_zh?: string
}

/** A finding in both languages. */
export function toFinding(
  name: string,
  status: Finding['status'],
  reason: Bilingual,
  { fix, finding }: { fix?: Bilingual | undefined; finding?: FindingName | undefined } = {},
): Finding {
  return {
    name,
    status,
    ...(finding ? { finding } : {}),
    reason: reason.en,
    reason_zh: reason.zh,
    ...(fix ? { fix: fix.en, fix_zh: fix.zh } : {}),
  }
}
