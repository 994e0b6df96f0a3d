import { sendSubmitted } from '../../src/submitted/worker.js'
import { finish, ready } from '../rig/candidate.js'
import { openBenchSending } from './sending.js'

/** The delivery of the submitted messages that are due, with everything that it does. */
const { account, sending } = await openBenchSending()
await ready()
const startedAt = performance.now()
const { delivered } = await sendSubmitted(sending, account, new AbortController().signal)
finish({ done: delivered, seconds: (performance.now() - startedAt) / 1000 })
