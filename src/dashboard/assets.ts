import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'

const compress = promisify(gzip)

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'
/** Beside this file; `npm run build` copies them. */
const FOLDER = new URL('./assets/', import.meta.url)
const SCRIPTS = ['frame.js', 'charts.js', 'live.js'] as const
export type AssetName = (typeof SCRIPTS)[number] | 'echarts.js' | 'dashboard.css'

interface Asset {
  type: string
  body: Buffer
  zipped(): Promise<Buffer>
  etag: string
}

export interface Assets {
  /** Changes with the content, so that browsers may keep it for ever. */
  urlOf(name: AssetName): string
  routes(app: FastifyInstance): void
}

interface Files {
  assets: Map<string, Asset>
  /** Of all together. */
  version: string
}

let files: Promise<Files> | undefined

/** What the pages need besides their own markup. The files are read once for all apps of this process. */
export async function openAssets(prefix: string): Promise<Assets> {
  files ??= readFiles()
  const { assets, version } = await files

  return {
    // One version for all: the scripts import each other by their names.
    urlOf: (name) => `${prefix}/assets/${version}/${name}`,
    routes(app) {
      const params = Type.Object({ version: Type.String(), name: Type.String() })
      app.get<{ Params: { version: string; name: string } }>(
        '/assets/:version/:name',
        { schema: { hide: true, params } },
        async (request, reply) => {
          const asset = assets.get(request.params.name)
          if (!asset) throw new ServiceError('not_found', 'There is no such file')
          const isCurrent = request.params.version === version
          reply.headers({
            // While versions are mixed, a page of another process gets ours, and must not keep it.
            'Cache-Control': isCurrent ? 'public, max-age=31536000, immutable' : 'no-cache',
            ETag: asset.etag,
            Vary: 'Accept-Encoding',
          })
          if (request.headers['if-none-match'] === asset.etag) return reply.status(304).send()
          reply.type(asset.type)
          if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(asset.body)
          return reply.header('Content-Encoding', 'gzip').send(await asset.zipped())
        },
      )
    },
  }
}

async function readFiles(): Promise<Files> {
  const assets = new Map<string, Asset>()
  for (const name of SCRIPTS) assets.set(name, toAsset(await readFile(new URL(name, FOLDER)), SCRIPT))
  assets.set('dashboard.css', toAsset(await readStyles(), STYLE))
  const echarts = createRequire(import.meta.url).resolve('echarts/dist/echarts.min.js')
  assets.set('echarts.js', toAsset(await readFile(echarts), SCRIPT))
  return { assets, version: hashOf(Buffer.concat([...assets.values()].map(({ body }) => body))) }
}

/** All style sheets in the order of their names, as one. */
async function readStyles(): Promise<Buffer> {
  const folder = new URL('styles/', FOLDER)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.css')).sort()
  return Buffer.concat(await Promise.all(names.map((name) => readFile(new URL(name, folder)))))
}

/** Zipped when first asked for: the megabyte of the charts takes 60 ms of a processor, and most starts show nobody a page. */
function toAsset(body: Buffer, type: string): Asset {
  let zipped: Promise<Buffer> | undefined
  return {
    type,
    body,
    zipped: () => {
      zipped ??= compress(body)
      return zipped
    },
    etag: `"${hashOf(body)}"`,
  }
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('base64url').slice(0, 12)
}
