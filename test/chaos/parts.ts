import type { Cast } from './cast.js'
import { createFates } from './fates.js'
import { createLuck, type Luck } from './luck.js'
import * as troubles from './troubles.js'

/** Shops that submit messages at once. */
const SHOPS = 3

/** All that goes on at once, until the course is over. */
export function startParts(cast: Cast): Promise<void>[] {
  const { stage, uploader, submitter, processes, resume, endings, counts, server } = cast
  const { course, db, options } = stage
  const luckOf = (part: string): Luck => createLuck(options.seed, part)
  const isOver = (): boolean => course.isOver
  const part = (name: string, work: Promise<void>) => course.run(name, work)
  const repeat = (name: string, low: number, high: number, work: () => unknown) =>
    part(name, course.repeat(luckOf(name), { low, high }, work))
  return [
    ...Array.from({ length: options.processes }, (_, place) =>
      part(`place ${place}`, keepOneRunning(cast, place)),
    ),
    repeat('uploads', 100, 500, () => uploader.upload(undefined, isOver)),
    ...Array.from({ length: SHOPS }, (_, shop) =>
      repeat(`shop ${shop}`, 20, 400, () => submitter.submit(isOver)),
    ),
    repeat('second thoughts', 100, 1_000, () => submitter.interfere(isOver)),
    part('expire', expireNowAndThen(cast)),
    part('parcel template', troubles.breakParcelTemplate(stage, luckOf('parcel template'))),
    part('tokens', troubles.meddleWithTokens(stage, luckOf('tokens'))),
    part('retries', troubles.hurryRetries(stage, luckOf('retries'))),
    repeat('takeovers', 50, 50, () => resume.look(db, Date.now()).catch(() => {})),
    repeat('endings', 300, 300, () => endings.look(db, Date.now()).catch(() => {})),
    ...(options.channel !== 'form_id'
      ? [part('outages', troubles.takeNothingNowAndThen(stage, luckOf('outages'), counts))]
      : []),
    ...(server
      ? [part('database', troubles.restartDatabase(stage, server, luckOf('database'), counts, processes))]
      : []),
  ]
}

/** Process after process in one place, until there were enough kills. While one is frozen the next one works. */
async function keepOneRunning({ stage, processes, ports }: Cast, place: number): Promise<void> {
  const { course, options } = stage
  const luck = createLuck(options.seed, `place ${place}`)
  const nextFate = createFates(luck, options.channel)
  const lives = new Set<Promise<void>>()
  while (!course.isOver) {
    const serves = place === 0 ? options.processes > 1 || luck.chance(0.5) : place > 1 && luck.chance(0.5)
    const role = serves ? 'serve' : 'remind'
    const fate = nextFate(role)
    await new Promise<void>((next) => {
      // Two services cannot listen on one port.
      const life = course.run(role, processes.live(role, ports[place] ?? 0, fate, serves ? undefined : next))
      lives.add(life)
      void life.then(() => lives.delete(life)).then(() => next())
    })
    await course.pause(luck.between(0, 150))
  }
  await Promise.all(lives)
}

async function expireNowAndThen({ stage, processes, uploader }: Cast): Promise<void> {
  const { course, db, options } = stage
  const luck = createLuck(options.seed, 'expire')
  const nextFate = createFates(luck, options.channel)
  while (!course.isOver) {
    await course.pause(luck.between(2_000, 5_000))
    if (course.isOver) return
    await uploader.writeShortLived(db, luck.integer(3, 30), Date.now()).catch(() => {})
    await processes.live('expire', 0, nextFate('expire'))
  }
}
