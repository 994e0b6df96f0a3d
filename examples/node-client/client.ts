import { randomUUID } from 'node:crypto'
import createClient from 'openapi-fetch'
import type { operations, paths } from './api.js'
import { errorOf } from './errors.js'
import { type Patience, retryingFetch } from './retry.js'

type Body<Name extends keyof operations> = operations[Name] extends {
  requestBody: { content: { 'application/json': infer Sent } }
}
  ? Sent
  : never

type Query<Name extends keyof operations> = NonNullable<operations[Name]['parameters']['query']>

type Submitted = Body<'submitMessages'>
type SubmitAnswer = operations['submitMessages']['responses'][202]['content']['application/json']
type Batch = { items: unknown }
type Results = { results: unknown }

export type UserId = number | string
export type Message = Awaited<ReturnType<ReminderClient['getMessage']>>
export type ReminderClient = ReturnType<typeof createReminderClient>

/**
 * The calls of a backend. Each answers the JSON of the service and throws a ReminderError for anything else. What has no
 * function here is under `api`, by its path: `await client.api.GET('/v1/runs', {})`; it throws the same errors.
 */
export function createReminderClient({
  baseUrl,
  apiKey,
  patience = {},
}: {
  baseUrl: string
  apiKey: string
  patience?: Partial<Patience>
}) {
  const api = createClient<paths>({
    baseUrl,
    headers: { Authorization: `Bearer ${apiKey}` },
    fetch: retryingFetch(patience),
  })
  api.use({
    async onResponse({ response }) {
      const isPage = response.headers.get('content-type')?.startsWith('text/html')
      if (!response.ok || isPage) throw await errorOf(response)
    },
  })

  /** One is answered with one, a batch with results: what the description cannot say. */
  const submit = <Answer extends SubmitAnswer>(body: Submitted, key: string): Promise<Answer> =>
    dataOf(
      api.POST('/v1/messages', { body, params: { header: { 'idempotency-key': key } } }),
    ) as Promise<Answer>

  return {
    api,
    /** One form_id, or up to 1,000 `items`. Look at `results`: those that are refused do not fail the call. */
    uploadFormIds: (body: Body<'uploadFormIds'>) => dataOf(api.POST('/v1/form-ids', { body })),
    /** Who has signed in is not reminded on that day. */
    recordSignIn: (body: Body<'recordSignIn'>) => dataOf(api.POST('/v1/sign-ins', { body })),
    /** Why a user was, was not, will or will not be reminded. */
    explainUser: (userId: UserId, query: Query<'explainUser'> = {}) =>
      dataOf(
        api.GET('/v1/users/{user_id}/explain', { params: { path: { user_id: String(userId) }, query } }),
      ),
    /**
     * The key holds for the repetitions of this call; give one of your own, such as the number of an order, if the
     * program may call again after a crash.
     */
    submitMessage: (message: Exclude<Submitted, Batch>, key: string = randomUUID()) =>
      submit<Exclude<SubmitAnswer, Results>>(message, key),
    /** Up to 1,000 `items`, with one key for all. `results` has the order of the items: an id, or an error. */
    submitMessages: (batch: Extract<Submitted, Batch>, key: string = randomUUID()) =>
      submit<Extract<SubmitAnswer, Results>>(batch, key),
    /** How a message stands, with each attempt. */
    getMessage: (id: number, query: Query<'getMessage'> = {}) =>
      dataOf(api.GET('/v1/messages/{id}', { params: { path: { id: String(id) }, query } })),
    /** A page of messages, newest first; its `next` is the `before` of the one after it. */
    listMessages: (query: Query<'listMessages'> = {}) =>
      dataOf(api.GET('/v1/messages', { params: { query } })),
    /** Sends a dead letter again, with a permit that the user has now. */
    requeueMessage: (id: number, body: Body<'requeueMessage'> = {}) =>
      dataOf(api.POST('/v1/messages/{id}/requeue', { params: { path: { id: String(id) } }, body })),
  }
}

/** Failures are thrown before this looks at an answer. */
async function dataOf<Data>(answer: Promise<{ data?: Data }>): Promise<Data> {
  const { data } = await answer
  return data as Data
}
