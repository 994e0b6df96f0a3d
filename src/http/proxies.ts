import { BlockList, isIP } from 'node:net'

/** Ranges by name, as the proxy-addr package behind Fastify's trustProxy knows them. */
const NAMES = new Set(['loopback', 'linklocal', 'uniquelocal'])

/**
 * Reads TRUST_PROXY: the proxies whose X-Forwarded-For is trusted, as addresses, CIDR ranges or names of
 * ranges; `none` trusts nobody. Throws for anything else.
 */
export function parseProxies(text: string): string[] {
  if (text === 'none') return []
  const proxies = text.split(',').map((proxy) => proxy.trim())
  for (const proxy of proxies) {
    if (!NAMES.has(proxy) && isIP(proxy) === 0 && !isRange(proxy))
      throw new Error(`"${proxy}" is not an address, a CIDR range, ${[...NAMES].join(', ')} or none`)
  }
  return proxies
}

function isRange(text: string): boolean {
  const [, address = '', prefix = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  const family = isIP(address)
  if (family === 0) return false
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
    return true
  } catch {
    return false
  }
}
