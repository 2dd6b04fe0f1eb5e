// The schema of the tests of Drizzle; drizzle-kit reads it as well.

import { sql } from 'drizzle-orm'
import { check, integer, pgTable } from 'drizzle-orm/pg-core'
import { bitvec, usearchIndex } from 'iscc-usearch-pg/drizzle'

export const image = pgTable(
  'image',
  { id: integer().primaryKey(), phash: bitvec() },
  (table) => [
    check('phash_bits', sql`bit_length(phash) <= 64`),
    usearchIndex('image_phash', table.phash, { with: { m: 24, shard_size: 65536 } }),
    usearchIndex('image_hamming', table.phash, { opclass: 'bitvec_hamming_ops' })
  ]
)
