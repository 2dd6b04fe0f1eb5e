// Drizzle: the column, the index, distances and conditions.

import { isSQLWrapper, sql } from 'drizzle-orm'
import { customType, index } from 'drizzle-orm/pg-core'
import { toBuffer, toText } from './index.js'

/** @typedef {import('./index.js').Code | import('drizzle-orm').SQLWrapper} Operand */
/** @typedef {import('drizzle-orm').SQLWrapper} Expression */

/** @type {any} */
export const bitvec = customType({
  dataType: (/** @type {any} */ config) => (config?.bits === undefined ? 'bitvec' : `bitvec(${config.bits})`),
  toDriver: (/** @type {any} */ code) => toText(code),
  fromDriver: (/** @type {any} */ value) => toBuffer(value)
})

/**
 * @param {string} name
 * @param {any} column
 * @param {import('./drizzle.js').IndexOptions} [options]
 */
export function usearchIndex(name, column, options = {}) {
  // Without an operator class, Drizzle writes NULLS LAST, which is for btree only.
  const built = index(name).using('usearch', column.op(options.opclass ?? 'bitvec_nphd_ops'))
  if (options.with === undefined) return built
  // Catalogs have texts, and `drizzle-kit push` compares with them.
  return built.with(Object.fromEntries(Object.entries(options.with).map(([key, value]) => [key, quoted(value)])))
}

/** @param {string | number} value */
function quoted(value) {
  return /^[0-9]+$|^[a-z_][a-z0-9_]*$/.test(String(value)) ? String(value) : `'${value}'`
}

/** @param {Operand} code */
function operand(code) {
  return isSQLWrapper(code) ? code : sql`${toText(code)}::bitvec`
}

/** @type {(column: Expression, code: Operand) => any} */
export const nphdDistance = (column, code) => sql`${column} <~> ${operand(code)}`.mapWith(Number)
/** @type {(column: Expression, code: Operand) => any} */
export const prefixHammingDistance = (column, code) => sql`${column} <#~> ${operand(code)}`.mapWith(Number)
/** @type {(column: Expression, code: Operand) => any} */
export const jaccardDistance = (column, code) => sql`${column} <%> ${operand(code)}`.mapWith(Number)
/** @type {(column: Expression, code: Operand) => any} */
export const sorensenDistance = (column, code) => sql`${column} <%%> ${operand(code)}`.mapWith(Number)
/** @type {(column: Expression, code: Operand, radius: number) => any} */
export const nphdWithin = (column, code, radius) => sql`nphd_within(${column}, ${operand(code)}, ${radius})`
/** @type {(column: Expression, code: Operand, bits: number) => any} */
export const hammingWithin = (column, code, bits) => sql`hamming_within(${column}, ${operand(code)}, ${bits})`
