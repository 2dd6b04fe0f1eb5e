import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { register } from 'iscc-usearch-pg/pg'
import { IMAGES, QUERY, freshDatabase } from './database.js'

let pool

before(async () => {
  await freshDatabase('pg')
  pool = new pg.Pool({ onConnect: register })
  await pool.query('CREATE TABLE image (id int PRIMARY KEY, phash bitvec(64))')
  for (const { id, phash } of IMAGES) await pool.query('INSERT INTO image VALUES ($1, $2)', [id, phash])
})
after(() => pool.end())

test('results are buffers', async () => {
  const { rows } = await pool.query('SELECT phash FROM image ORDER BY id')
  assert.deepEqual(rows.map((row) => row.phash), IMAGES.map((image) => image.phash))
  const { rows: arrays } = await pool.query("SELECT array_agg(phash ORDER BY id) AS a, '{}'::bitvec[] AS e FROM image")
  assert.deepEqual(arrays, [{ a: IMAGES.map((image) => image.phash), e: [] }])
})

test('parameters', async () => {
  for (const query of [QUERY, new Uint8Array(QUERY), '\\xfcbd']) {
    for (const sql of [
      'SELECT id FROM image ORDER BY phash <~> $1, id LIMIT 3',
      'SELECT id FROM image WHERE nphd_within(phash, $1, 0.1) ORDER BY id'
    ]) {
      const { rows } = await pool.query(sql, [query])
      assert.deepEqual(rows.map((row) => row.id), [1, 2, 3])
    }
  }
  const { rows } = await pool.query('SELECT id FROM image WHERE phash = ANY ($1) ORDER BY id', [[QUERY, IMAGES[3].phash]])
  assert.deepEqual(rows.map((row) => row.id), [1, 4])
})

test('vectors of type real[] need nothing', async () => {
  const { rows } = await pool.query("SELECT '{1,0}'::real[] <-> $1 AS distance", [[1, 0.5]])
  assert.deepEqual(rows, [{ distance: 0.5 }])
})

test('without the extension', async () => {
  const client = new pg.Client({ database: 'template1' })
  await client.connect()
  await assert.rejects(register(client), /CREATE EXTENSION/)
  await client.end()
})
