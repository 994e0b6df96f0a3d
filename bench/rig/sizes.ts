import type { Knex } from 'knex'
import { selectRows } from '../../src/db/sql.js'

export interface TableSize {
  table: string
  rows: number
  /** The rows themselves, which lie in the order of the primary key, and the other indexes. */
  data_mb: number
  index_mb: number
  bytes_a_row: number
}

/** A page of 16 KiB for a few rows would say nothing of the others. */
const MIN_ROWS = 1_000

/** What the server says that each table of the service takes, the largest first; tables with few rows are left out. */
export async function tableSizes(db: Knex): Promise<TableSize[]> {
  const tables = await selectRows<{ name: string; data: number | string; indexes: number | string }>(
    db,
    `SELECT table_name AS name, data_length AS data, index_length AS indexes FROM information_schema.tables
     WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name LIKE 'wx!_%' ESCAPE '!'`,
  )
  const sizes: TableSize[] = []
  for (const { name, data, indexes } of tables) {
    const [row] = await selectRows<{ rows: number }>(db, `SELECT COUNT(*) AS \`rows\` FROM ${name}`)
    const rows = row?.rows ?? 0
    if (rows < MIN_ROWS) continue
    const [dataBytes, indexBytes] = [Number(data), Number(indexes)]
    sizes.push({
      table: name,
      rows,
      data_mb: inMb(dataBytes),
      index_mb: inMb(indexBytes),
      bytes_a_row: Math.round((dataBytes + indexBytes) / rows),
    })
  }
  return sizes.sort((a, b) => b.rows * b.bytes_a_row - a.rows * a.bytes_a_row)
}

const inMb = (bytes: number): number => Math.round(bytes / 100_000) / 10
