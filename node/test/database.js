// A database of its own for each test file, with the extension, on the server that libpq's variables name.

import pg from 'pg'

/** Creates the database and sets PGDATABASE. It goes with the server. */
export async function freshDatabase(name) {
  const database = `node_${name}_${process.pid}`
  await admin(`CREATE DATABASE ${database}`)
  process.env.PGDATABASE = database
  const client = new pg.Client()
  await client.connect()
  await client.query('CREATE EXTENSION iscc_usearch')
  await client.end()
  return database
}

async function admin(sql) {
  const client = new pg.Client({ database: 'postgres' })
  await client.connect()
  await client.query(sql)
  await client.end()
}

export const QUERY = Buffer.from('fcbd', 'hex')

export const IMAGES = [
  { id: 1, phash: QUERY },
  { id: 2, phash: Buffer.from('fcbd04c3', 'hex') },
  { id: 3, phash: Buffer.from('fcbf', 'hex') },
  { id: 4, phash: Buffer.from('0342', 'hex') },
  { id: 5, phash: null }
]
