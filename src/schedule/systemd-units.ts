import { PgbkError } from '../errors.js'
import { callWords, type Surroundings } from './command.js'
import { calendarEvent, type ScheduleTimes } from './times.js'

export interface SystemdUnit {
  /** The file's name below /etc/systemd/system. */
  name: string
  text: string
}

export interface UnitsRequest {
  surroundings: Surroundings
  /** Whom the services run as. */
  user: string
  times: ScheduleTimes
  /** What one run calls, one after the other. */
  commands: string[][]
  receive: string[]
  /** A proof mounts the working copy of a backup in a name space of its own, served through /dev/fuse. */
  needsNamespaces: boolean
}

/** A service with its timer, and a service for the receiver; systemd.service(5), systemd.timer(5). */
export function systemdUnits(request: UnitsRequest): SystemdUnit[] {
  const { root } = request.surroundings
  const name = `pgbk${root.replace(/[^A-Za-z0-9]+/g, '-').replace(/-$/, '')}`
  return [
    { name: `${name}.service`, text: backupService(request) },
    { name: `${name}.timer`, text: timer(request) },
    { name: `${name}-receive.service`, text: receiverService(request) },
  ]
}

function backupService({ surroundings, user, commands, needsNamespaces }: UnitsRequest): string {
  const calls = commands.map((command) => `ExecStart=${commandLine(command, surroundings)}`)
  return `[Unit]
Description=pgbk: back up to ${unitWord(surroundings.root)}
Wants=network-online.target
After=network-online.target postgresql.service

[Service]
Type=oneshot
${calls.join('\n')}
${environmentLines(surroundings)}User=${unitWord(user)}
Nice=10
IOSchedulingClass=idle
KillMode=mixed
${hardening(surroundings.root)}${needsNamespaces ? andFuse : noMounts}`
}

function timer({ surroundings, times }: UnitsRequest): string {
  return `[Unit]
Description=pgbk: when to back up to ${unitWord(surroundings.root)}

[Timer]
OnCalendar=${calendarEvent(times)}
Persistent=true

[Install]
WantedBy=timers.target
`
}

function receiverService({ surroundings, user, receive }: UnitsRequest): string {
  return `[Unit]
Description=pgbk: receive WAL into ${unitWord(surroundings.root)}
Wants=network-online.target
After=network-online.target postgresql.service

[Service]
Type=exec
ExecStart=${commandLine(receive, surroundings)}
${environmentLines(surroundings)}User=${unitWord(user)}
Restart=always
RestartSec=30
RestartPreventExitStatus=2 4
SuccessExitStatus=143
KillMode=mixed
${hardening(surroundings.root)}${noMounts}
[Install]
WantedBy=multi-user.target
`
}

/**
 * /tmp has the sockets of the servers that are reached, and of those that prove a backup: no PrivateTmp. Not MemoryDenyWriteExecute,
 * for node compiles while it runs.
 */
function hardening(root: string): string {
  return `UMask=0077
NoNewPrivileges=true
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths=${unitWord(root)} /tmp
ProtectHome=read-only
ProtectClock=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectControlGroups=true
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
SystemCallArchitectures=native
`
}

const noMounts = 'PrivateDevices=true\nRestrictNamespaces=true\n'

/** Otherwise the same devices as those of PrivateDevices (systemd.resource-control(5)). */
const andFuse = 'DevicePolicy=closed\nDeviceAllow=/dev/fuse rw\n'

/** In all words but the first, which is the program, a `$` begins a variable (systemd.service(5), "Command Lines"). */
function commandLine(command: string[], surroundings: Surroundings): string {
  return callWords(command, surroundings)
    .map((word, index) => (index === 0 ? unitWord(word) : unitWord(word).replaceAll('$', '$$$$')))
    .join(' ')
}

function environmentLines({ variables }: Surroundings): string {
  return Object.entries(variables)
    .map(([name, value]) => `Environment=${unitWord(`${name}=${value}`)}\n`)
    .join('')
}

/**
 * systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers". A line's last backslash would join it with the next one.
 * @throws {PgbkError} `usage` for a control character: no line of a unit has one.
 */
function unitWord(text: string): string {
  if (/\p{Cc}/u.test(text))
    throw new PgbkError('usage', `${JSON.stringify(text)} cannot stand in a unit of systemd`, {
      hint: 'Write the unit by hand.',
    })
  const word = text.replaceAll('%', '%%')
  return /^[\w@%+=:,./$-]+$/.test(word) ? word : `"${word.replace(/[\\"]/g, '\\$&')}"`
}
