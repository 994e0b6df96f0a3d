import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { type Fields, isFields, parseLossless, toValue } from '../lib/lossless-json.js'

/** WeChat's own pushes are four levels deep. */
const MAX_DEPTH = 16

/** Every value is the text that was sent: a number cannot hold an id of 19 digits. */
const xml = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  // Entities are not expanded: WeChat writes CDATA, and an expansion can be made to explode.
  processEntities: false,
  maxNestedTags: MAX_DEPTH,
  jPath: false,
})

/** Reads the body of a push, XML or JSON by its content. undefined if it is neither. */
export function parsePush(body: string): Fields | undefined {
  const text = body.replace(/^\ufeff/, '').trim()
  try {
    if (text.startsWith('{')) return fieldsOf(parseLossless(text, MAX_DEPTH))
    if (text.startsWith('<')) return parseXml(text)
  } catch {
    // Both parsers throw at text that is not JSON, not XML, or dangerous.
  }
  return undefined
}

const XML_ENCRYPT = '<Encrypt>'
const JSON_ENCRYPT = '"Encrypt"'
/** JSON may escape a slash. */
const JSON_BASE64 = /\s*:\s*"([\w+/=\\]+)"/y

/**
 * The text of Encrypt in a body of XML or JSON, without parsing it: the sender is not known yet, and cutting
 * out one field takes a thousandth of the time. The last one counts: in compatible mode the text that users
 * write comes before it.
 */
export function cutEncrypted(body: string): string | undefined {
  const tag = body.lastIndexOf(XML_ENCRYPT)
  if (/^\s*</.test(body)) {
    const end = body.indexOf('</Encrypt>', tag)
    if (tag === -1 || end === -1) return undefined
    const text = body.slice(tag + XML_ENCRYPT.length, end).trim()
    return text.startsWith('<![CDATA[') && text.endsWith(']]>') ? text.slice(9, -3).trim() : text
  }
  const name = body.lastIndexOf(JSON_ENCRYPT)
  if (name === -1) return undefined
  JSON_BASE64.lastIndex = name + JSON_ENCRYPT.length
  return JSON_BASE64.exec(body)?.[1]?.replaceAll('\\/', '/')
}

/**
 * The fields of the one root element, <xml>. What WeChat never sends is refused: a comment, or a DOCTYPE
 * anywhere.
 */
function parseXml(text: string): Fields | undefined {
  if (!/^(?:<\?xml[^<>]*\?>\s*)?<xml\s*>/.test(text)) return undefined
  if (hasDeclaration(text)) return undefined
  // The parser accepts tags that are never closed; its validator does not.
  if (XMLValidator.validate(text) !== true) return undefined
  const document = fieldsOf(toValue(xml.parse(text), MAX_DEPTH))
  return fieldsOf(document?.xml)
}

/** Whether there is any `<!` outside CDATA. What a user wrote is inside. */
function hasDeclaration(text: string): boolean {
  for (let at = text.indexOf('<!'); at !== -1; at = text.indexOf('<!', at)) {
    if (!text.startsWith('<![CDATA[', at)) return true
    at = text.indexOf(']]>', at)
    if (at === -1) return true
  }
  return false
}

function fieldsOf(value: Fields[string]): Fields | undefined {
  return isFields(value) ? value : undefined
}
