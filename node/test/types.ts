// Compiled, never run: what the declarations promise.

import { integer, pgTable } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/node-postgres'
import type { Knex } from 'knex'
import pg from 'pg'
import postgres from 'postgres'
import { toBuffer, toText } from 'iscc-usearch-pg'
import { bitvec, nphdDistance, nphdWithin, usearchIndex } from 'iscc-usearch-pg/drizzle'
import * as knexHelpers from 'iscc-usearch-pg/knex'
import { register } from 'iscc-usearch-pg/pg'
import { register as registerPostgres } from 'iscc-usearch-pg/postgres'

export const bytes: Buffer = toBuffer(new Uint8Array(2))
export const text: string = toText('ff80')
// @ts-expect-error: a number is no code
toBuffer(7)

export const pool = new pg.Pool({ onConnect: register })
await registerPostgres(postgres())

const image = pgTable('image', { id: integer().primaryKey(), phash: bitvec({ bits: 64 }).notNull() }, (table) => [
  usearchIndex('image_phash', table.phash, { with: { m: 24 } })
])
const rows = await drizzle(pool)
  .select({ phash: image.phash, distance: nphdDistance(image.phash, bytes) })
  .from(image)
  .where(nphdWithin(image.phash, bytes, 0.1))
export const first: { phash: Buffer; distance: number } = rows[0]!
// @ts-expect-error: the radius is a number
nphdWithin(image.phash, bytes, '0.1')

export async function ofKnex(knex: Knex): Promise<number[]> {
  await knexHelpers.createUsearchIndex(knex, 'image', 'phash', { with: { m: 24 } })
  return knex('image').pluck('id').orderBy(knexHelpers.nphdDistance(knex, 'phash', bytes))
}
