// What the table in docs/clients.md says about drivers without this package.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import pg from 'pg'
import postgres from 'postgres'
import { IMAGES, freshDatabase } from './database.js'

const PARAMETERS = ['\\x0342', Buffer.from('0342', 'hex')]
let client

before(async () => {
  await freshDatabase('without')
  client = new pg.Client()
  await client.connect()
  await client.query('CREATE TABLE image (id int PRIMARY KEY, phash bitvec(64))')
  for (const { id, phash } of IMAGES) await client.query('INSERT INTO image VALUES ($1, $2)', [id, phash])
})

test('pg', async () => {
  for (const parameter of PARAMETERS) {
    const { rows } = await client.query('SELECT phash FROM image ORDER BY phash <~> $1 LIMIT 1', [parameter])
    assert.deepEqual(rows, [{ phash: '\\x0342' }])
  }
  await client.end()
})

test('postgres.js', async () => {
  const sql = postgres()
  for (const parameter of PARAMETERS) {
    const [row] = await sql`SELECT phash FROM image ORDER BY phash <~> ${parameter} LIMIT 1`
    assert.equal(row.phash, '\\x0342')
  }
  await sql.end()
})
