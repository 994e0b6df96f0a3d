/**
 * Every statement that writes to one of these tables is in that table's folder, where each verb keeps the rules
 * between the tables.
 */
const WRITERS: Record<string, string> = {
  wx_save_form_id: 'src/books/',
  wx_message_push_status: 'src/books/',
  wx_job_run: 'src/runs/',
  wx_job_cursor: 'src/runs/',
  wx_run_outcome: 'src/runs/',
}

const TABLES = Object.keys(WRITERS).join('|')
const WRITE = String.raw`\b(?:INSERT|REPLACE|UPDATE|DELETE|TRUNCATE)\b(?:\s+(?:OR|IGNORE|INTO|FROM|TABLE)\b)*\s+(?:\$\{[^}]*\}\s*)?`
/** A statement on the table by name. */
const BY_NAME = new RegExp(`${WRITE}\`?(${TABLES})\\b`, 'gi')
/** The table as a value: for Knex's query builder, or for a statement that interpolates its table. */
const AS_VALUE = new RegExp(`['"](${TABLES})['"]`, 'g')
const PUT_IN = /\b(?:INTO|UPDATE|DELETE\s+FROM)\s+\$\{|\.(?:insert|update|delete|del|truncate)\(/i

/** Finds the tables that a file writes to, with the line of each statement. */
export function writesIn(text: string): { table: string; line: number }[] {
  const places = [...text.matchAll(BY_NAME)]
  if (PUT_IN.test(text)) places.push(...text.matchAll(AS_VALUE))
  return places.map((match) => ({
    table: match[1] ?? '',
    line: text.slice(0, match.index).split('\n').length,
  }))
}

/** Returns one line for each statement that is outside its table's folder. */
export function findStrayWrites(files: { path: string; text: string }[]): string[] {
  return files.flatMap(({ path, text }) =>
    writesIn(text)
      .filter(({ table }) => !path.startsWith(WRITERS[table] ?? ''))
      .map(({ table, line }) => `${path}:${line} writes to ${table}: that belongs to ${WRITERS[table]}`),
  )
}
