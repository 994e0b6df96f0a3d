/** The backend of a demo mini-program: calls the service as any backend would. */
export interface Backend {
  url: string
  apiKey: string
}

/** Throws with the answer if it is not 201. */
export function post(backend: Backend, path: string, body: object): Promise<unknown> {
  return call(backend, 'POST', path, body, 201)
}

/** Throws with the answer if it is not 200. */
export function put(backend: Backend, path: string, body: object): Promise<unknown> {
  return call(backend, 'PUT', path, body, 200)
}

async function call(
  { url, apiKey }: Backend,
  method: string,
  path: string,
  body: object,
  expected: number,
): Promise<unknown> {
  const response = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify(body),
  })
  if (response.status !== expected)
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
  return response.json()
}

export async function signIn(backend: Backend, users: { userId: number }[]): Promise<void> {
  for (const { userId } of users) await post(backend, '/v1/sign-ins', { user_id: userId })
}
