import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { Command } from 'commander'
import { commandSpecs } from '../../src/cli/commands.js'

/** The fields of all types of options. */
function fieldsOfOptions(): Set<string> {
  const src = fileURLToPath(new URL('../../src', import.meta.url))
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const texts = files.map((file) => readFileSync(join(src, file), 'utf8'))
  const bodies = texts.flatMap((text) => [
    ...text.matchAll(/^(?:export )?interface \w*(?:Options|Flags)\b[^{]*\{\n(.*?)^\}/gms),
  ])
  const fields = bodies.flatMap(([, body = '']) => [...body.matchAll(/^ {2}(\w+)\??: /gm)])
  return new Set(fields.map(([, name = '']) => name))
}

const fields = fieldsOfOptions()

it.each(commandSpecs.map((spec) => [spec.name, spec] as const))(
  'an option of %s is a field of a type, under the name that commander gives it',
  (_name, spec) => {
    const command = new Command(spec.name)
    const declared = (spec.declare?.(command) ?? command).options.map((option) => option.attributeName())
    expect(declared.filter((name) => !fields.has(name))).toEqual([])
  },
)
