/** The backend of a demo mini-program: calls the service as any backend would. */
export interface Backend {
  url: string
  apiKey: string
}

/** Throws with the answer if it is not 201. */
export function post(backend: Backend, path: string, body: object): Promise<unknown> {
  return call(backend, { method: 'POST', path, body, expected: 201 })
}

/** Throws with the answer if it is not 200. */
export function put(backend: Backend, path: string, body: object): Promise<unknown> {
  return call(backend, { method: 'PUT', path, body, expected: 200 })
}

/** Submits messages in one batch, and returns those that were stored. */
export async function submit(backend: Backend, key: string, items: object[]): Promise<Stored[]> {
  const headers = { 'idempotency-key': key }
  const answer = await call(backend, {
    method: 'POST',
    path: '/v1/messages',
    body: { items },
    headers,
    expected: 202,
  })
  const { results } = answer as { results: (Stored | { error: unknown })[] }
  return results.filter((result) => 'id' in result)
}

interface Stored {
  id: number
  state: string
}

/** Cancels a submitted message that waits. */
export async function cancel(backend: Backend, id: number): Promise<void> {
  await call(backend, { method: 'DELETE', path: `/v1/messages/${id}`, expected: 200 })
}

interface Call {
  method: string
  path: string
  body?: object
  headers?: Record<string, string>
  expected: number
}

async function call(
  { url, apiKey }: Backend,
  { method, path, body, headers = {}, expected }: Call,
): Promise<unknown> {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${apiKey}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  if (response.status !== expected)
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
  return response.json()
}

export async function signIn(backend: Backend, users: { userId: number }[]): Promise<void> {
  for (const { userId } of users) await post(backend, '/v1/sign-ins', { user_id: userId })
}
