import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { aDirectory, aFreePort, atEnd } from './places.js'
import { isRoot, ordinaryUser } from './users.js'

const path = '/usr/local/bin:/usr/bin:/bin'
const tool = fileURLToPath(new URL('../tools/sftp-server.sh', import.meta.url))

export interface SshHost {
  /** As `ssh` knows it. */
  host: string
  /** An environment whose `ssh` reaches it. */
  env: Record<string, string>
  /** The same with further options for every call of ssh. */
  envWith(...options: string[]): Record<string, string>
}

/**
 * A real sshd on this machine, for the ordinary user. ssh takes its configuration from the home directory, which is not the tests' to
 * change: so the `ssh` on PATH is a script that names another file.
 */
export async function anSshHost(): Promise<SshHost> {
  const directory = aDirectory('pgbk-sshd-')
  const user = isRoot ? ordinaryUser.name : (process.env.USER ?? ordinaryUser.name)
  const args = ['--port', String(await aFreePort()), '--dir', directory, '--user', user]
  if (!existsSync('/usr/sbin/sshd')) throw new Error(`these tests need sshd:  ${tool} install`)
  atEnd(async () => void (await execa(tool, ['stop', ...args])))
  await execa(tool, ['start', ...args])
  const config = join(directory, 'ssh_config')
  const envWith = (...options: string[]) =>
    withPrograms({ ssh: `#!/bin/sh\nexec /usr/bin/ssh -F '${config}' ${options.join(' ')} "$@"\n` })
  return { host: 'test', env: envWith(), envWith }
}

/** An environment whose `ssh` reaches this machine itself, where these scripts come before all other programs. */
export function anSshTo(programs: Record<string, string>, onlyThese = false): Record<string, string> {
  const there = withPrograms(programs).PATH
  const remotePath = onlyThese ? there?.split(':')[0] : there
  const ssh = `#!/bin/sh\nfor last; do :; done\nexec env -i PATH='${remotePath}' HOME=/tmp ${onlyThese ? `'${there?.split(':')[0]}/sh'` : 'sh'} -c "$last"\n`
  return withPrograms({ ssh })
}

/** An environment with these scripts first on PATH. */
export function withPrograms(programs: Record<string, string>): Record<string, string> {
  const bin = join(aDirectory('pgbk-bin-'), 'bin')
  mkdirSync(bin, { mode: 0o755 })
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(bin, name), text)
    chmodSync(join(bin, name), 0o755)
  }
  chmodSync(join(bin, '..'), 0o755)
  return { PATH: `${bin}:${path}` }
}

/** The same, where no range of a file comes that begins there or later: who asks for one waits until nobody is there any more. */
export function heldFrom(
  offset: number,
  { PATH: before = '' }: Record<string, string>,
): Record<string, string> {
  const ssh = `#!/usr/bin/perl
my $parent = getppid;
if ("@ARGV" =~ /tail -c \\+(\\d+)/ && $1 > ${offset}) {
  select(undef, undef, undef, 0.1) while getppid == $parent;
  exit 1;
}
exec '${before.split(':')[0]}/ssh', @ARGV;
`
  return withPrograms({ ssh })
}

/** The same, where every connection passes on so many bytes, and then waits until nobody is there any more. */
export function heldAfter(
  bytes: number,
  { PATH: before = '' }: Record<string, string>,
): Record<string, string> {
  const ssh = `#!/usr/bin/perl
my $left = ${bytes};
my $parent = getppid;
open(my $in, '-|', '${before.split(':')[0]}/ssh', @ARGV) or die;
while (sysread($in, my $bytes, 65536)) {
  syswrite(STDOUT, $bytes);
  $left -= length $bytes;
  while ($left <= 0 && getppid == $parent) { select(undef, undef, undef, 0.1) }
}
close $in;
exit($? >> 8);
`
  return withPrograms({ ssh })
}
