// Knex: distances and conditions as raw fragments, and the index with its parameters.

import { toText } from './index.js'

/** @typedef {import('knex').Knex} Knex */
/** @typedef {import('./index.js').Code} Code */

/** @param {string} sql */
function fragment(sql) {
  return (/** @type {Knex} */ knex, /** @type {string} */ column, /** @type {Code} */ code, /** @type {number[]} */ ...limit) =>
    knex.raw(sql, [column, toText(code), ...limit])
}

export const nphdDistance = fragment('?? <~> ?::bitvec')
export const prefixHammingDistance = fragment('?? <#~> ?::bitvec')
export const jaccardDistance = fragment('?? <%> ?::bitvec')
export const sorensenDistance = fragment('?? <%%> ?::bitvec')
export const nphdWithin = fragment('nphd_within(??, ?::bitvec, ?)')
export const hammingWithin = fragment('hamming_within(??, ?::bitvec, ?)')

/**
 * @param {Knex} knex
 * @param {string} table
 * @param {string} column
 * @param {import('./knex.js').IndexOptions} [options]
 */
export function createUsearchIndex(knex, table, column, options = {}) {
  const parameters = Object.entries(options.with ?? {})
  const sql =
    `CREATE INDEX ${options.name ? '??' : ''} ON ?? USING usearch (?? ${options.opclass ? '??' : ''})` +
    (parameters.length > 0 ? ` WITH (${parameters.map(() => '?? = ?').join(', ')})` : '')
  const names = [options.name, table, column, options.opclass].filter((name) => name !== undefined)
  // A definition cannot have parameters of the protocol, so the values are part of the text.
  return knex.schema.raw(knex.raw(sql, [...names, ...parameters.flat()]).toQuery())
}
