import { describe, expect, it } from '@jest/globals'
import { parseConfig, type RawConfig } from '../../src/config/schema.js'
import { alice } from '../encryption/samples.js'

const pathsOf = (raw: RawConfig) => parseConfig(raw).faults?.map((fault) => fault.split(': ')[0])

describe('a configuration', () => {
  it('has defaults for all that has any', () => {
    expect(parseConfig({}).value).toEqual({
      run_as: 'postgres',
      create: {
        checkpoint: 'fast',
        wire: 'none',
        verify: true,
        form: 'plain',
        thin: 'auto',
        independent_every: 14,
      },
      run: { working_copy: 'auto', sandbox: 'auto', settings: {}, cache_size: '1 GB' },
      stores: {},
      verify: { sql: [] },
      wal: { slot: 'pgbk', compress: 'gzip' },
      hooks: {},
    })
  })

  it('may have every key of the documentation', () => {
    const whole = {
      root: '.',
      connection: 'host=db1',
      source: 'backup@db2:/srv/pg',
      bin_dir: '/usr/lib/postgresql/17/bin',
      run_as: 'backup',
      time_zone: 'Europe/Berlin',
      create: {
        checkpoint: 'spread',
        max_rate: '50M',
        wire: 'server-zstd',
        verify: false,
        form: 'packed',
        thin: 'off',
        independent_every: 7,
      },
      run: {
        working_copy: 'overlay',
        sandbox: 'off',
        settings: { work_mem: '1GB', max_connections: 20, jit: false },
        cache_size: '4 GB',
      },
      retention: { daily: 7, weekly: 4, monthly: 12, on_demand: 3, min: 2, window: '14 days' },
      stores: {
        offsite: {
          url: 's3://bucket/db1',
          region: 'eu-central-1',
          endpoint: 'https://s3.example.com:9000',
          path_style: true,
          part_size: 64 << 20,
          storage_class: 'STANDARD_IA',
          recipients: [alice.recipient],
          identity: '/etc/pgbk/key.txt',
          retention: { daily: 7, wal: '7 days' },
          upload: 'always',
        },
      },
      verify: { sql: [{ statement: 'select 1', expect: 1, database: 'app' }] },
      wal: { slot: 'pgbk_2', compress: 'gzip:9' },
      hooks: { on_success: 'true', on_failure: 'false', on_warning: 'mail' },
    }
    const { offsite } = whole.stores
    const written = { ...whole, stores: { offsite: { ...offsite, part_size: '64MB' } } }
    expect(parseConfig(written)).toEqual({ value: whole })
  })

  it.each<[string, RawConfig]>([
    ['root', { root: '' }],
    ['root', { root: 5 }],
    ['time_zone', { time_zone: 'Mars/Olympus' }],
    ['create', { create: 'fast' }],
    ['stores.a', { stores: { a: 's3://bucket' } }],
    ['stores.a.recipients', { stores: { a: { url: 's3://b', recipients: [] } } }],
    ['stores.a.recipients.0', { stores: { a: { url: 's3://b', recipients: ['ssh-ed25519 AAAA'] } } }],
    ['stores.a.url', { stores: { a: {} } }],
    ['stores.a.endpoint', { stores: { a: { url: 's3://b', endpoint: 'https://key:secret@host' } } }],
    ['stores.a.part_size', { stores: { a: { url: 's3://b', part_size: '1MB' } } }],
    ['stores.a.upload', { stores: { a: { url: 's3://b', upload: 'sometimes' } } }],
    [
      'stores.a.retention.pack_after',
      { stores: { a: { url: 's3://b', retention: { pack_after: '1 day' } } } },
    ],
    ['create.checkpoint', { create: { checkpoint: 'slow' } }],
    ['create.max_rate', { create: { max_rate: '50G' } }],
    ['create.verify', { create: { verify: 'yes' } }],
    ['run.working_copy', { run: { working_copy: 'zfs' } }],
    ['run.sandbox', { run: { sandbox: 'on' } }],
    ['run.settings.a', { run: { settings: { a: [] } } }],
    ['run.settings.port', { run: { settings: { port: 5433 } } }],
    ['run.settings.Port', { run: { settings: { work_mem: '1GB', Port: '5433' } } }],
    ['retention.daily', { retention: { daily: -1 } }],
    ['retention.weekly', { retention: { weekly: 1.5 } }],
    ['retention.window', { retention: { window: 'a fortnight' } }],
    ['verify.sql.0.expect', { verify: { sql: [{ statement: 'select 1' }] } }],
    ['wal.slot', { wal: { slot: 'Not-A-Slot' } }],
    ['wal.compress', { wal: { compress: 'gzip:10' } }],
    ['hooks.on_failure', { hooks: { on_failure: '' } }],
    ['roots', { roots: '.' }],
    ['create.max-rate', { create: { 'max-rate': '1M' } }],
    ['verify.sql.0.sql', { verify: { sql: [{ statement: 'x', expect: 1, sql: 'y' }] } }],
  ])('is refused at %s for %j', (path, raw) => expect(pathsOf(raw)).toEqual([path]))

  it('is told all its faults at once', () => {
    const raw = { root: 1, retention: { daily: 'x' }, create: { what: 1, verify: 2 } }
    expect(pathsOf(raw)?.sort()).toEqual(['create.verify', 'create.what', 'retention.daily', 'root'])
  })

  it('says which values a key may have', () => {
    const { faults } = parseConfig({ wal: { compress: 'lz4' }, create: { checkpoint: 'slow' } })
    expect(faults?.join('\n')).toMatch(/fast.*spread/)
    expect(faults?.join('\n')).toMatch(
      /wal\.compress: must be gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:9, or none/,
    )
  })
})
