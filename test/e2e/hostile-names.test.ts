import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { aDirectory } from '../helpers/places.js'
import { oldestAndNewest } from '../helpers/programs.js'
import { pgbkIn } from '../helpers/restore.js'
import { aRoot, aServer } from '../helpers/server.js'

for (const major of oldestAndNewest)
  describe(`names that a server of PostgreSQL ${major} has chosen`, () => {
    it('are no commands for psql, a shell or a configuration', async () => {
      const trap = join(aDirectory(), 'ran')
      const include = aDirectory()
      const names = [
        `z\\' \\! touch ${trap.replaceAll('/', '$(printf "\\57")')} #.conf`,
        `y' \\! touch x \\'.conf`,
        `$(touch x)\`touch x\`%p.conf`,
        `w\n\\! touch x\n.conf`,
      ].map((name) => name.replaceAll('/', ''))
      for (const [index, name] of names.entries())
        writeFileSync(join(include, name), `app.n${index} = 'x'\n`, { mode: 0o644 })
      const server = await aServer({
        major,
        settings: { standard_conforming_strings: 'off', escape_string_warning: 'off', include_dir: include },
      })
      await server.sql(
        `
        create database "d' \\\\! touch x"; create role "r\\"; touch x" superuser login;
        create database "$(touch x)"; create database "-c\\\\! touch x";`.replaceAll('\\"', '""'),
      )
      const backup = await aBackupOf(server, { root: await aRoot() })
      const kept = backup.record.config_files
        .map(({ path }) => path)
        .filter((path) => path.startsWith(include))
      expect(kept.sort()).toEqual(
        names
          .map((name) => join(include, name))
          .filter((path) => !path.includes('\n'))
          .sort(),
      )
      expect((await pgbkIn(backup.root, ['verify', '--prove'])).status).toBe(0)
      expect(existsSync(trap)).toBe(false)
    })
  })
