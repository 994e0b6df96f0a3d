import { columnsOf, padColumns, wrapColumns } from '../lib/columns.js'
import type { TemplateData } from '../wechat/messages.js'

/** Columns between the borders: a `thing` of 20 Chinese characters has room in one line. */
const WIDTH = 52
const MAX_KEY = 18

/**
 * The lines of a card as it comes up under WeChat's service notifications (服务通知). The titles of its lines are known to
 * WeChat alone, so its keys stand in their place.
 */
export function drawCard(data: TemplateData, { canBeTapped }: { canBeTapped: boolean }): string[] {
  const keyColumns = Math.min(MAX_KEY, Math.max(...Object.keys(data).map(columnsOf)))
  const textColumns = WIDTH - keyColumns - 4
  const rows = Object.entries(data).flatMap(([key, { value }]) => {
    const keys = wrapColumns(key, keyColumns)
    const texts = wrapColumns(value, textColumns)
    return Array.from({ length: Math.max(keys.length, texts.length) }, (_, i) =>
      line(`${padColumns(keys[i] ?? '', keyColumns)}  ${texts[i] ?? ''}`),
    )
  })
  const rule = '─'.repeat(WIDTH)
  return [
    `╭${rule}╮`,
    line('服务通知'),
    line('签到提醒'),
    `├${rule}┤`,
    ...rows,
    ...(canBeTapped ? [`├${rule}┤`, line(`${padColumns('进入小程序查看', WIDTH - 3)}>`)] : []),
    `╰${rule}╯`,
  ]
}

const line = (text: string): string => `│ ${padColumns(text, WIDTH - 2)} │`
