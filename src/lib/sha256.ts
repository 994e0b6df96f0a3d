import { hash } from 'node:crypto'

/** 32 bytes, whatever the length of the text: for comparing in constant time, and for names of a fixed length. */
export function sha256(text: string | Buffer): Buffer {
  return hash('sha256', text, 'buffer')
}
