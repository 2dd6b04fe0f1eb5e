// node-postgres: codes and arrays of codes as Buffer.

import { toBuffer } from './index.js'

const TEXT_ARRAY = 1009

/** @param {import('pg').ClientBase} client */
export async function register(client) {
  const { rows } = await client.query(
    "SELECT oid::int8::text, typarray::int8::text FROM pg_type WHERE oid = to_regtype('bitvec')"
  )
  if (rows.length === 0) {
    throw new Error('type bitvec not found: run CREATE EXTENSION iscc_usearch, or set the search_path')
  }
  /** @type {(oid: number, format?: 'text') => (text: string) => Array<string | null>} */
  const parserOf = client.getTypeParser.bind(client)
  const parseTexts = parserOf(TEXT_ARRAY, 'text')
  /** @param {string | null} text */
  const parse = (text) => (text === null ? null : toBuffer(text))
  client.setTypeParser(Number(rows[0].oid), 'text', parse)
  client.setTypeParser(Number(rows[0].typarray), 'text', (text) => parseTexts(text).map(parse))
}
