import { describe, expect, it } from '@jest/globals'
import {
  dangersIn,
  isOfInstallation,
  settingsInText,
} from '../../../../src/restore/directory/conf/dangers-in-conf.js'
import { switchedOff } from '../../../../src/restore/directory/conf/production-conf.js'
import { aRecord } from '../../../catalog/samples.js'

const dangers = (text: string) => dangersIn(settingsInText(text))

describe('what a server’s configuration would do to others', () => {
  it.each([
    ["ssl_passphrase_command 'ask'", { ssl_passphrase_command: '', ssl: 'off' }],
    ["RESTORE_COMMAND = 'cp'", { restore_command: '' }],
    [
      "archive_cleanup_command='x'\nrecovery_end_command='y'",
      { archive_cleanup_command: '', recovery_end_command: '' },
    ],
    ["restore_command = 'first'\nrestore_command = ''", { restore_command: '' }],
    ["session_preload_libraries = 'auto_explain, /tmp/x'", { session_preload_libraries: '' }],
    ["local_preload_libraries = '$libdir/../x'", { local_preload_libraries: '' }],
    ["dynamic_library_path = '$libdir:/opt/lib'", { dynamic_library_path: '$libdir' }],
    ["jit_provider = '../x'", { jit_provider: 'llvmjit' }],
    ["oauth_validator_libraries = '/x'", { oauth_validator_libraries: '' }],
    ["extension_destdir = '/x'", { extension_destdir: '' }],
    ['bonjour = on', { bonjour: 'off' }],
    ["log_directory = '/var/log/x'", { log_directory: 'log' }],
    ["log_directory = '../x'", { log_directory: 'log' }],
    ["log_filename = '../../.bashrc'", { log_filename: 'postgresql-%Y-%m-%d_%H%M%S.log' }],
    ["stats_temp_directory = '/run/x'", { stats_temp_directory: 'pg_stat_tmp' }],
    ["promote_trigger_file = '/home/me/precious'", { promote_trigger_file: '' }],
    ["plperl.on_init = 'x'", { 'plperl.on_init': '' }],
    ["pljava.libjvm_location = '/x'", { 'pljava.libjvm_location': '' }],
  ])('is switched off: %j', (text, settings) => {
    const found = dangers(text)
    expect(found.settings).toEqual(settings)
    for (const name of Object.keys(settings).filter((one) => one !== 'ssl'))
      expect(found.reasons.join('\n')).toContain(name)
  })

  it.each([
    "log_directory = 'log'\nlogging_collector = on\nlog_filename = 'x.log'",
    "listen_addresses = '*'\nssl = on\nssl_cert_file = '/etc/ssl/x'",
    "session_preload_libraries = 'auto_explain, $libdir/x'",
    "restore_command = ''\nssl_passphrase_command = ''",
    "app.on_init = '/x'",
  ])('is none in %j', (text) => expect(dangers(text)).toEqual({ settings: {}, reasons: [] }))

  it('preloads no library that the record does not tell of, from elsewhere', () => {
    const record = aRecord({ preload_libraries: ['pg_stat_statements'] })
    const found = settingsInText('shared_preload_libraries = \'pg_stat_statements, "/tmp/evil", pg_cron\'')
    const { settings, reasons } = switchedOff(record, found)
    expect(settings.shared_preload_libraries).toBe('pg_stat_statements')
    expect(reasons.join('\n')).toMatch(/pg_cron.*outside of the installation \(shared_preload_libraries\)/s)
  })

  it.each([
    ['a', true],
    ['$libdir/a', true],
    ['$system:$libdir', true],
    ['', true],
    ['/a', false],
    ['a/b', false],
    ['$libdir/../a', false],
    ['a, "/b"', false],
    ['..', false],
  ])('%j is of the installation: %s', (value, is) => expect(isOfInstallation(value)).toBe(is))
})
