import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { asc, eq, inArray, lt, and, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { alias, pgTable } from 'drizzle-orm/pg-core'
import pg from 'pg'
import {
  bitvec,
  hammingWithin,
  jaccardDistance,
  nphdDistance,
  nphdWithin,
  prefixHammingDistance,
  sorensenDistance
} from 'iscc-usearch-pg/drizzle'
import { IMAGES, QUERY, freshDatabase } from './database.js'
import { image } from './schema.js'

const here = fileURLToPath(new URL('.', import.meta.url))
let directory
let db
let pool

/** What `drizzle-kit push` says. Its files are beside the schema, where it resolves imports. */
async function push() {
  const kit = `${here}../node_modules/drizzle-kit/bin.cjs`
  const options = { cwd: `${here}..` }
  const { stdout } = await promisify(execFile)(process.execPath, [kit, 'push', '--force', '--verbose', '--config', `${directory}/drizzle.config.mjs`], options)
  return stdout
}

before(async () => {
  const database = await freshDatabase('drizzle')
  directory = await mkdtemp(`${here}.drizzle-`)
  const url = `postgresql://${process.env.PGUSER}@localhost:${process.env.PGPORT}/${database}?host=${process.env.PGHOST}`
  // Drizzle takes the views of extensions for tables that the schema has dropped.
  const tablesFilter = ['!usearch_*']
  const config = { dialect: 'postgresql', schema: './test/schema.js', tablesFilter, dbCredentials: { url } }
  await writeFile(`${directory}/drizzle.config.mjs`, `export default ${JSON.stringify(config)}`)
  assert.match(await push(), /CREATE INDEX "image_phash"/)
  pool = new pg.Pool()
  db = drizzle(pool)
  await db.insert(image).values(IMAGES)
})
after(async () => {
  await pool?.end()
  await rm(directory, { recursive: true })
})

const ids = (rows) => rows.map((row) => row.id)
const found = async (condition) => ids(await db.select({ id: image.id }).from(image).where(condition).orderBy(image.id))

test('a second push changes nothing', async () => {
  const out = await push()
  assert.match(out, /No changes detected/)
  assert.doesNotMatch(out, /DROP|CREATE|ALTER/)
})

test('the indexes', async () => {
  const { rows } = await pool.query("SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%usearch%' ORDER BY indexname")
  assert.deepEqual(rows.map((row) => row.indexdef), [
    'CREATE INDEX image_hamming ON public.image USING usearch (phash bitvec_hamming_ops)',
    "CREATE INDEX image_phash ON public.image USING usearch (phash) WITH (m='24', shard_size='65536')"
  ])
})

test('values', async () => {
  assert.deepEqual(await db.select().from(image).orderBy(image.id), IMAGES)
  assert.deepEqual(await found(eq(image.phash, QUERY)), [1])
  assert.deepEqual(await found(inArray(image.phash, [QUERY, IMAGES[3].phash])), [1, 4])
  await assert.rejects(db.insert(image).values({ id: 6, phash: Buffer.alloc(9) }), /phash_bits|Failed query/)
})

test('distances', async () => {
  for (const distance of [nphdDistance, prefixHammingDistance, jaccardDistance, sorensenDistance]) {
    const rows = await db.select({ id: image.id }).from(image).orderBy(asc(distance(image.phash, QUERY)), image.id).limit(3)
    assert.deepEqual(ids(rows), [1, 2, 3])
  }
  const [row] = await db
    .select({
      nphd: nphdDistance(image.phash, '\\x0342'),
      bits: prefixHammingDistance(image.phash, '0342'),
      jaccard: jaccardDistance(image.phash, 'fcbf'),
      sorensen: sorensenDistance(image.phash, 'fcbf'),
      itself: nphdDistance(image.phash, image.phash)
    })
    .from(image)
    .where(eq(image.id, 1))
  assert.deepEqual(row, { nphd: 1, bits: 16, jaccard: 1 / 13, sorensen: 1 / 25, itself: 0 })
})

test('conditions and joins', async () => {
  assert.deepEqual(await found(nphdWithin(image.phash, QUERY, 0.1)), [1, 2, 3])
  assert.deepEqual(await found(hammingWithin(image.phash, QUERY, 1)), [1, 3])
  assert.deepEqual(await found(lt(nphdDistance(image.phash, QUERY), 0.05)), [1, 2])
  const other = alias(image, 'other')
  const pairs = await db
    .select({ a: image.id, b: other.id })
    .from(image)
    .innerJoin(other, and(nphdWithin(image.phash, other.phash, 0.1), lt(image.id, other.id)))
    .orderBy(image.id, other.id)
  assert.deepEqual(pairs.map(({ a, b }) => [a, b]), [[1, 2], [1, 3], [2, 3]])
})

test('the index is used', async () => {
  await db.transaction(async (transaction) => {
    await transaction.execute(sql`SET LOCAL enable_seqscan = off`)
    const query = transaction.select({ id: image.id }).from(image).orderBy(nphdDistance(image.phash, QUERY)).limit(3)
    const plan = await transaction.execute(sql`EXPLAIN ${query.getSQL()}`)
    assert.match(JSON.stringify(plan.rows), /image_phash/)
  })
})

test('a limited length', () => {
  const table = pgTable('limited', { phash: bitvec({ bits: 256 }), named: bitvec('other', { bits: 64 }), any: bitvec('any') })
  assert.deepEqual([table.phash, table.named, table.any].map((column) => [column.name, column.getSQLType()]), [
    ['phash', 'bitvec(256)'],
    ['other', 'bitvec(64)'],
    ['any', 'bitvec']
  ])
})
