import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import postgres from 'postgres'
import { register } from 'iscc-usearch-pg/postgres'
import { IMAGES, QUERY, freshDatabase } from './database.js'

let sql

before(async () => {
  await freshDatabase('postgres')
  sql = postgres()
  await register(sql)
  await sql`CREATE TABLE image (id int PRIMARY KEY, phash bitvec(64))`
  await sql`INSERT INTO image ${sql(IMAGES)}`
})
after(() => sql.end())

const ids = (rows) => rows.map((row) => row.id)

test('results are buffers', async () => {
  const rows = await sql`SELECT phash FROM image ORDER BY id`
  assert.deepEqual(rows.map((row) => row.phash), IMAGES.map((image) => image.phash))
  const [arrays] = await sql`SELECT array_agg(phash ORDER BY id) AS a, '{}'::bitvec[] AS e FROM image`
  assert.deepEqual({ ...arrays }, { a: IMAGES.map((image) => image.phash), e: [] })
})

test('parameters', async () => {
  for (const query of [QUERY, new Uint8Array(QUERY), '\\xfcbd']) {
    assert.deepEqual(ids(await sql`SELECT id FROM image ORDER BY phash <~> ${query}, id LIMIT 3`), [1, 2, 3])
    assert.deepEqual(ids(await sql`SELECT id FROM image WHERE nphd_within(phash, ${query}, 0.1) ORDER BY id`), [1, 2, 3])
  }
  assert.deepEqual(ids(await sql`SELECT id FROM image WHERE phash IN ${sql([QUERY, IMAGES[3].phash])} ORDER BY id`), [1, 4])
})

test('other connections stay as they are', async () => {
  const other = postgres()
  const [row] = await other`SELECT phash FROM image WHERE id = 1`
  assert.equal(row.phash, '\\xfcbd')
  await other.end()
})

test('without the extension', async () => {
  const other = postgres({ database: 'template1' })
  await assert.rejects(register(other), /CREATE EXTENSION/)
  await other.end()
})
