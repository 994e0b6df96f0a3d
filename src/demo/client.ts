/** The backend of a demo mini-program: calls the service as any backend would. */
export interface Backend {
  url: string
  apiKey: string
}

/** Throws with the answer if it is not 201. */
export async function post({ url, apiKey }: Backend, path: string, body: object): Promise<unknown> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify(body),
  })
  if (response.status !== 201)
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
  return response.json()
}

export async function signIn(backend: Backend, users: { userId: number }[]): Promise<void> {
  for (const { userId } of users) await post(backend, '/v1/sign-ins', { user_id: userId })
}
