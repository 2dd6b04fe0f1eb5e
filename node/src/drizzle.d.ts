import type { Column, SQL, SQLWrapper } from 'drizzle-orm'
import type { IndexBuilder, PgCustomColumnBuilder } from 'drizzle-orm/pg-core'
import type { Code } from './index.js'

type BitvecBuilder<Name extends string> = PgCustomColumnBuilder<{
  name: Name
  dataType: 'custom'
  columnType: 'PgCustomColumn'
  data: Buffer
  driverParam: unknown
  enumValues: undefined
}>

/** `bits` makes it `bitvec(bits)`, for codes of at most that many bits. `drizzle-kit push` cannot see it: see README. */
export interface BitvecConfig {
  bits?: number
}

/** A column of type `bitvec`. Its values are `Buffer`. */
export function bitvec(): BitvecBuilder<''>
export function bitvec(config: BitvecConfig): BitvecBuilder<''>
export function bitvec<Name extends string>(name: Name, config?: BitvecConfig): BitvecBuilder<Name>

export interface IndexOptions {
  /** `bitvec_nphd_ops` by default. */
  opclass?: string
  /** Storage parameters, such as `{ m: 24, shard_size: '64MB' }`. */
  with?: Record<string, string | number>
}

/** A usearch index, in the third argument of `pgTable`. */
export function usearchIndex(name: string, column: Column, options?: IndexOptions): IndexBuilder

/** `column <~> code`: the fraction of the bits of the common prefix that differ. */
export function nphdDistance(column: SQLWrapper, code: Code | SQLWrapper): SQL<number>
/** `column <#~> code`: the number of bits of the common prefix that differ. */
export function prefixHammingDistance(column: SQLWrapper, code: Code | SQLWrapper): SQL<number>
/** `column <%> code`: the Jaccard distance of the set bits. */
export function jaccardDistance(column: SQLWrapper, code: Code | SQLWrapper): SQL<number>
/** `column <%%> code`: the Sørensen-Dice distance of the set bits. */
export function sorensenDistance(column: SQLWrapper, code: Code | SQLWrapper): SQL<number>
/** Whether the NPHD is at most `radius`, a fraction from 0 to 1. */
export function nphdWithin(column: SQLWrapper, code: Code | SQLWrapper, radius: number): SQL<boolean>
/** Whether the lengths are equal and at most `bits` bits differ. */
export function hammingWithin(column: SQLWrapper, code: Code | SQLWrapper, bits: number): SQL<boolean>
