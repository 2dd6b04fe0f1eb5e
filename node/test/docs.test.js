// Every program of the documentation runs, each in a database of its own, and prints what is shown.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freshDatabase } from './database.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const PAGES = [`${here}../README.md`, `${here}../../docs/clients.md`]

let number = 0
for (const page of PAGES) {
  const source = await readFile(page, 'utf8')
  const blocks = [...source.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
  for (const [at, [, language, program]] of blocks.entries()) {
    if (language !== 'js') continue
    const shown = blocks[at + 1]?.[1] === 'text' ? blocks[at + 1][2] : undefined
    const name = `docs_${number++}`
    test(program.match(/from '(.*)'/)[1], async () => {
      await freshDatabase(name)
      // Here, where its imports are found.
      const file = `${here}.${name}-${process.pid}.mjs`
      await writeFile(file, program)
      try {
        const { stdout } = await promisify(execFile)(process.execPath, ['--throw-deprecation', file])
        if (shown !== undefined) assert.equal(stdout, shown)
      } finally {
        await rm(file)
      }
    })
  }
}
