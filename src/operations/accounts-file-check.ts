import { type Finding, toFinding } from '../findings/finding.js'
import type { ApiKey } from '../http/api-keys.js'
import { expiresSoon, isExpired } from '../http/key-expiry.js'
import type { Bilingual } from '../lib/bilingual.js'
import { isoTime } from '../lib/iso-time.js'

/** What a readable ACCOUNTS_FILE holds, and what of it should not stay so. */
export interface AccountsFileFacts {
  accounts: readonly unknown[]
  keys: readonly ApiKey[]
  warnings: readonly string[]
}

export function examineAccountsFile({ accounts, keys, warnings }: AccountsFileFacts, now: number): Finding[] {
  const counted = {
    en: `${countOf(accounts.length, 'account')}, ${countOf(keys.length, 'API key')}`,
    zh: `${accounts.length} 个账号，${keys.length} 个 API 密钥`,
  }
  const isOpen = warnings.length > 0
  const file = isOpen
    ? toFinding(
        'accounts_file',
        'warn',
        {
          en: `${counted.en}; it holds secrets, and every user of this machine may read it`,
          zh: `${counted.zh}；文件中有密钥，而本机所有用户都能读取`,
        },
        { fix: PROTECT },
      )
    : toFinding('accounts_file', 'ok', counted)
  return [file, examineKeys(keys, now)]
}

const PROTECT: Bilingual = {
  en: 'Set its mode to 640, or refer to the secrets by file:.',
  zh: '把文件权限设为 640，或用 file: 引用密钥。',
}
const ROTATE: Bilingual = {
  en: 'Add another key of that name (hash-key), move the backend over, then take this one out.',
  zh: '用同一名称添加新密钥（hash-key），让后端改用它，再去掉旧的。',
}

function examineKeys(keys: readonly ApiKey[], now: number): Finding {
  const name = 'api_keys'
  const expired = keys.filter((key) => isExpired(key, now))
  const soon = keys.filter((key) => expiresSoon(key, now))
  if (expired.length + soon.length === 0)
    return toFinding(name, 'ok', { en: 'none expires within 14 days', zh: '14 天内没有到期的' })
  const told = (over: (key: ApiKey) => string, next: (key: ApiKey) => string): string[] => [
    ...expired.map(over),
    ...soon.map(next),
  ]
  const en = told(
    (key) => `"${key.name}" expired at ${isoTime(key.expiresAt)}`,
    (key) => `"${key.name}" expires at ${isoTime(key.expiresAt)}`,
  ).join('; ')
  const zh = told(
    (key) => `“${key.name}”已于 ${isoTime(key.expiresAt)} 到期`,
    (key) => `“${key.name}”将于 ${isoTime(key.expiresAt)} 到期`,
  ).join('；')
  return toFinding(name, 'warn', { en, zh }, { fix: ROTATE })
}

function countOf(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
