import { sha256 } from './sha256.js'

/**
 * Names a form_id or prepay_id in the log, where the thing itself, good for a message to its user, has no place: the
 * first 12 hex digits of its SHA-256. In MySQL: LEFT(SHA2(form_id, 256), 12).
 */
export function permitMark(formId: string): string {
  return sha256(formId).toString('hex', 0, 6)
}
