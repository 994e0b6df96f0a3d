import { readFile } from 'node:fs/promises'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { programFolder } from '../lib/version.js'
import { TITLE, TOPICS } from './api-description.js'
import { DOCS_POLICY } from './security-headers.js'

/** A bell. */
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1a7f4b"/>
<path d="M16 6a7 7 0 0 0-7 7v5l-2 4h18l-2-4v-5a7 7 0 0 0-7-7zm-3 18a3 3 0 0 0 6 0z" fill="#fff"/></svg>`

/** Enough room for the texts of a status, and long examples that scroll in their own box. */
const STYLE = `.swagger-ui .info { margin: 30px 0 20px }
.swagger-ui .responses-inner .response-col_description { max-width: 70ch }
.swagger-ui .info__license { display: none }`

/** The page of /docs, under our own name, and the documents that its text links to. */
export async function registerDocsPage(app: FastifyInstance): Promise<void> {
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_POLICY,
    theme: {
      title: TITLE,
      css: [{ filename: 'docs-page.css', content: STYLE }],
      favicon: [
        { filename: 'docs-icon.svg', rel: 'icon', type: 'image/svg+xml', sizes: 'any', content: ICON },
      ],
    },
    uiConfig: {
      // The other layout has a bar with the name of Swagger.
      layout: 'BaseLayout',
      docExpansion: 'list',
      defaultModelsExpandDepth: -1,
      displayRequestDuration: true,
      tryItOutEnabled: true,
    },
  })
  app.get(
    '/docs/topics/:page',
    { schema: { hide: true, params: Type.Object({ page: Type.String() }) } },
    async (request, reply) => {
      const { page } = request.params as { page: string }
      if (!(page in TOPICS)) throw new ServiceError('not_found', `There is no document ${page}`)
      const text = await readFile(new URL(`docs/${page}`, programFolder()), 'utf8').catch(() => {
        throw new ServiceError('not_found', 'The documents are not installed beside the program')
      })
      return reply.type('text/plain; charset=utf-8').send(text)
    },
  )
}
