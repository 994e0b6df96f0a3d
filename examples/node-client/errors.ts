import type { operations } from './api.js'

type Answers<Operation> = Operation extends { responses: infer Responses }
  ? Responses[keyof Responses]
  : never
type CodeIn<Answer> = Answer extends { content: { 'application/json': { error: { code: infer Code } } } }
  ? Code
  : never

/** Every code that the service documents, and those of this client. A newer service may answer others. */
export type ErrorCode =
  | CodeIn<Answers<operations[keyof operations]>>
  | 'no_answer'
  | 'unclear_answer'
  | (string & Record<never, never>)

/** Whatever a call can fail with. Programs look at `code`; the message is for people. */
export class ReminderError extends Error {
  override readonly name = 'ReminderError'
  readonly code: ErrorCode
  /** Of the answer; undefined where there was none. */
  readonly status: number | undefined
  /** What the code says more, such as `field` and `faults` of `invalid_request`. */
  readonly details: Readonly<Record<string, unknown>>
  /** Under which the log of the service knows the request. */
  readonly requestId: string | undefined

  constructor(
    { code, message, details = {} }: { code: ErrorCode; message: string; details?: Record<string, unknown> },
    { status, requestId, cause }: { status?: number; requestId?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause })
    this.code = code
    this.status = status
    this.details = details
    this.requestId = requestId
  }
}

/** No answer arrived. The request may have had its effect; sending the same again is harmless. */
export function noAnswer(request: Request, cause: unknown): ReminderError {
  const message = `${request.method} ${new URL(request.url).pathname} was not answered`
  return new ReminderError({ code: 'no_answer', message }, { cause })
}

/** What a failed answer says; `unclear_answer` if it is not the service's, but a proxy's page. */
export async function errorOf(response: Response): Promise<ReminderError> {
  const { status } = response
  const requestId = response.headers.get('x-request-id') ?? undefined
  const body: unknown = await response.json().catch(() => undefined)
  const error = isFailure(body) ? body.error : { code: 'unclear_answer', message: `HTTP status ${status}` }
  return new ReminderError(error, { status, requestId })
}

interface Failure {
  error: { code: string; message: string; details?: Record<string, unknown> }
}

function isFailure(body: unknown): body is Failure {
  const { error } = (body ?? {}) as Partial<Failure>
  return typeof error?.code === 'string' && typeof error.message === 'string'
}
