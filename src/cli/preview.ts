import { ConfigError } from '../errors.js'
import { addDays, businessDate } from '../lib/business-date.js'
import type { UserId } from '../lib/user-id.js'
import { type Preview, previewReminder, type Sample } from '../reminders/preview.js'
import { findStreakUpTo } from '../sign-ins/sign-in.js'
import { type AccountOptions, addAccountCommand, readAccountSettings } from './account.js'
import { type AddCommand, type Cli, EXIT } from './command.js'
import { withBase } from './databases.js'
import { drawCard } from './draw-card.js'
import { parseUserId, toDate } from './options.js'
import { print } from './output.js'

interface Options extends AccountOptions {
  user?: UserId
  date?: number
}

export const addPreview: AddCommand = (program, cli) => {
  addAccountCommand(program, 'preview')
    .description(
      'draw the card that the reminder of a day would be; send nothing, and ask WeChat for nothing',
    )
    .option('--user <USER_ID>', "the owner's number for the user who would get it", parseUserId)
    .option('--date <YYYY-MM-DD>', 'business date; default today', toDate)
    .option('--json', 'one JSON object on stdout', false)
    .action((options: Options) => cli.end(options, () => preview(cli, options)))
}

async function preview(cli: Cli, options: Options): Promise<number> {
  const { user: userId, date: day, json } = options
  const { config, account } = readAccountSettings(cli, 'nothing', options)
  if (Object.keys(account.data).length === 0) throw new ConfigError(['REMINDER_DATA: is not set'])
  const show = (date: number, user?: { userId: UserId; streak: number }): number => {
    const answer = previewReminder(account, date, user)
    print(cli.streams, json, answer, describe(answer))
    return EXIT.ok
  }
  const today = (now: number): number => day ?? businessDate(now, account.timezone)
  // A text can be looked at before there is any database.
  if (userId === undefined) return show(today(Date.now()))
  return withBase(
    cli,
    'reads',
    async ({ db, now }) => {
      const date = today(now())
      const before = { appId: account.appId, userId, day: addDays(date, -1) }
      return show(date, { userId, streak: await findStreakUpTo(db, before) })
    },
    { config, account },
  )
}

function describe({ date, channel, template_id, opens, samples, user, notes }: Preview): string[] {
  const cards = grouped(samples).map(([streaks, sample]) => ({
    title: `Streak ${streaks.join(', ')} | 连续签到 ${streaks.join('、')} 天`,
    sample,
  }))
  if (user)
    cards.unshift({
      title: `User ${user.user_id}, streak ${user.streak} | 用户 ${user.user_id}，连续签到 ${user.streak} 天`,
      sample: user,
    })
  return [
    `${date}, ${channel}, template ${template_id || '-'}`,
    ...cards.flatMap(({ title, sample }) => [
      '',
      title,
      ...drawCard(sample.data, { canBeTapped: opens !== null }),
    ]),
    '',
    `A tap opens | 点击打开: ${opens ?? '-'}`,
    ...notes.flatMap(({ name, detail, detail_zh }) => [`note ${name}: ${detail}`, detail_zh]),
  ]
}

/** Streaks that read the same share a card. */
function grouped(samples: Sample[]): [number[], Sample][] {
  const groups = new Map<string, [number[], Sample]>()
  for (const sample of samples) {
    const said = JSON.stringify(sample.data)
    const group = groups.get(said)
    if (group) group[0].push(sample.streak)
    else groups.set(said, [[sample.streak], sample])
  }
  return [...groups.values()]
}
