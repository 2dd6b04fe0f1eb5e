import type { Knex } from 'knex'
import type { Code } from './index.js'

/** `column <~> code`: the fraction of the bits of the common prefix that differ. */
export function nphdDistance(knex: Knex, column: string, code: Code): Knex.Raw
/** `column <#~> code`: the number of bits of the common prefix that differ. */
export function prefixHammingDistance(knex: Knex, column: string, code: Code): Knex.Raw
/** `column <%> code`: the Jaccard distance of the set bits. */
export function jaccardDistance(knex: Knex, column: string, code: Code): Knex.Raw
/** `column <%%> code`: the Sørensen-Dice distance of the set bits. */
export function sorensenDistance(knex: Knex, column: string, code: Code): Knex.Raw
/** Whether the NPHD is at most `radius`, a fraction from 0 to 1. */
export function nphdWithin(knex: Knex, column: string, code: Code, radius: number): Knex.Raw
/** Whether the lengths are equal and at most `bits` bits differ. */
export function hammingWithin(knex: Knex, column: string, code: Code, bits: number): Knex.Raw

export interface IndexOptions {
  name?: string
  opclass?: string
  /** Storage parameters, such as `{ m: 24, shard_size: '64MB' }`. */
  with?: Record<string, string | number>
}

/** Creates a usearch index. Await it, in a migration for example. */
export function createUsearchIndex(knex: Knex, table: string, column: string, options?: IndexOptions): Knex.SchemaBuilder
