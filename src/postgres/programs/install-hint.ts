import { readFileSync } from 'node:fs'

export type PackageKind = 'client' | 'server'

/** How to get PostgreSQL's programs: this system's own command where it is known, else those of the systems that people use. */
export function installHint(
  major?: number,
  kind: PackageKind = 'client',
  osRelease: string | undefined = readOsRelease(),
): string {
  const own = packageCommand(osRelease, major, kind)
  if (own !== undefined) return `  ${own}`
  const version = major === undefined ? '' : `-${major}`
  return [
    `Debian, Ubuntu:  apt-get install ${debianPackage(kind)}${version}   (other majors: see https://wiki.postgresql.org/wiki/Apt)`,
    `RHEL, Fedora:    dnf install postgresql${major ?? ''}-server   (from https://yum.postgresql.org)`,
    `macOS:           brew install postgresql@${major ?? 18}`,
  ].join('\n')
}

/** The systems by the ids that os-release(5) gives them, with where other majors than the system's own come from. */
const systems: [RegExp, (major: number | undefined, kind: PackageKind) => string][] = [
  [
    /^(debian|ubuntu)$/,
    (major, kind) =>
      `apt-get install ${debianPackage(kind)}${major === undefined ? '' : `-${major}   # other majors: see https://wiki.postgresql.org/wiki/Apt`}`,
  ],
  [
    /^(rhel|fedora|centos|rocky|almalinux|ol)$/,
    (major, kind) =>
      major === undefined
        ? `dnf install postgresql${kind === 'server' ? '-server' : ''}`
        : `dnf install postgresql${major}${kind === 'server' ? '-server' : ''}   # from https://yum.postgresql.org`,
  ],
  [/^alpine$/, (major, kind) => `apk add postgresql${major ?? ''}${kind === 'client' ? '-client' : ''}`],
  [/^arch$/, () => 'pacman -S postgresql'],
  [/suse/, (major, kind) => `zypper install postgresql${major ?? ''}${kind === 'server' ? '-server' : ''}`],
]

function readOsRelease(): string | undefined {
  try {
    return readFileSync('/etc/os-release', 'utf8')
  } catch {
    return undefined
  }
}

function packageCommand(
  osRelease: string | undefined,
  major: number | undefined,
  kind: PackageKind,
): string | undefined {
  const field = (name: string) => new RegExp(`^${name}=["']?([^"'\n]*)`, 'm').exec(osRelease ?? '')?.[1] ?? ''
  const ids = [field('ID'), ...field('ID_LIKE').split(' ')]
  for (const id of ids) {
    const known = systems.find(([pattern]) => pattern.test(id))
    if (known) return known[1](major, kind)
  }
  return undefined
}

function debianPackage(kind: PackageKind): string {
  return kind === 'client' ? 'postgresql-client' : 'postgresql'
}
