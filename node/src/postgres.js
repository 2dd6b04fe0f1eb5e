// postgres.js: codes and arrays of codes as Buffer.

import { toBuffer, toText } from './index.js'

/** @param {import('postgres').Sql<any>} sql */
export async function register(sql) {
  const [type] = await sql`
    SELECT oid::int8::text, typarray::int8::text FROM pg_type WHERE oid = to_regtype('bitvec')`
  if (type === undefined) {
    throw new Error('type bitvec not found: run CREATE EXTENSION iscc_usearch, or set the search_path')
  }
  const { parsers, serializers } = sql.options
  /** @type {Record<number, any>} */
  const parserOf = parsers
  parserOf[type.oid] = toBuffer
  parserOf[type.typarray] = parseArray
  serializers[type.oid] = toText
}

/**
 * The text form of an array of codes. Hexadecimal digits need no quotes, but the backslash does.
 * @param {string} text
 */
function parseArray(text) {
  return text === '{}' ? [] : text.slice(1, -1).split(',').map((item) => (item === 'NULL' ? null : fromItem(item)))
}

/** @param {string} item */
function fromItem(item) {
  return toBuffer(item.replace(/^"\\\\x/, '').replace(/"$/, ''))
}
