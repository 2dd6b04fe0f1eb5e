import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import createKnex from 'knex'
import {
  createUsearchIndex,
  hammingWithin,
  jaccardDistance,
  nphdDistance,
  nphdWithin,
  prefixHammingDistance,
  sorensenDistance
} from 'iscc-usearch-pg/knex'
import { register } from 'iscc-usearch-pg/pg'
import { IMAGES, QUERY, freshDatabase } from './database.js'

let knex

before(async () => {
  const database = await freshDatabase('knex')
  const afterCreate = (connection, done) => register(connection).then(() => done(null, connection), done)
  knex = createKnex({
    client: 'pg',
    connection: { host: process.env.PGHOST, port: Number(process.env.PGPORT), user: process.env.PGUSER, database },
    pool: { min: 0, afterCreate }
  })
  await knex.schema.createTable('image', (table) => {
    table.integer('id').primary()
    table.specificType('phash', 'bitvec(64)')
  })
  await createUsearchIndex(knex, 'image', 'phash', { name: 'image_phash', with: { m: 24, shard_size: '64MB' } })
  await createUsearchIndex(knex, 'image', 'phash', { opclass: 'bitvec_hamming_ops' })
  await knex('image').insert(IMAGES)
})
after(() => knex.destroy())

test('the indexes', async () => {
  const rows = await knex('pg_indexes').select('indexdef').whereLike('indexdef', '%usearch%').orderBy('indexname')
  assert.deepEqual(rows.map((row) => row.indexdef), [
    "CREATE INDEX image_phash ON public.image USING usearch (phash) WITH (m='24', shard_size='64MB')",
    'CREATE INDEX image_phash_idx ON public.image USING usearch (phash bitvec_hamming_ops)'
  ])
})

test('values', async () => {
  assert.deepEqual(await knex('image').orderBy('id'), IMAGES)
  assert.deepEqual(await knex('image').pluck('id').where({ phash: QUERY }), [1])
  assert.deepEqual(await knex('image').pluck('id').whereIn('phash', [QUERY, IMAGES[3].phash]).orderBy('id'), [1, 4])
})

test('distances', async () => {
  for (const distance of [nphdDistance, prefixHammingDistance, jaccardDistance, sorensenDistance]) {
    assert.deepEqual(
      await knex('image').pluck('id').orderBy(distance(knex, 'phash', QUERY)).orderBy('id').limit(3),
      [1, 2, 3]
    )
  }
  const other = Buffer.from('fcbf', 'hex')
  const [row] = await knex('image').where('id', 1).select(
    { nphd: nphdDistance(knex, 'phash', '\\x0342') },
    { bits: prefixHammingDistance(knex, 'image.phash', '0342') },
    { jaccard: jaccardDistance(knex, 'phash', other) },
    { sorensen: sorensenDistance(knex, 'phash', other) }
  )
  assert.deepEqual(row, { nphd: 1, bits: 16, jaccard: 1 / 13, sorensen: 1 / 25 })
})

test('conditions', async () => {
  assert.deepEqual(await knex('image').pluck('id').where(nphdWithin(knex, 'phash', QUERY, 0.1)).orderBy('id'), [1, 2, 3])
  assert.deepEqual(await knex('image').pluck('id').where(hammingWithin(knex, 'phash', QUERY, 1)).orderBy('id'), [1, 3])
})

test('the index is used', async () => {
  await knex.transaction(async (transaction) => {
    await transaction.raw('SET LOCAL enable_seqscan = off')
    const query = transaction('image').select('id').orderBy(nphdDistance(transaction, 'phash', QUERY)).limit(3)
    const plan = await transaction.raw(`EXPLAIN ${query.toQuery()}`)
    assert.match(JSON.stringify(plan.rows), /image_phash/)
  })
})
