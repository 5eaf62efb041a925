import { fuseDevice } from './working-copy.js'

/** What makes a better working copy, or a sandbox, possible, for each kind of obstacle; the first that fits is told. */
const remedies: readonly [RegExp, string][] = [
  [
    /user namespaces are forbidden|^unshare: /m,
    // Which setting forbids them depends on the distribution.
    `Allow user namespaces, as root, with the setting that this system has:
  sysctl -w kernel.apparmor_restrict_unprivileged_userns=0    # Ubuntu
  sysctl -w kernel.unprivileged_userns_clone=1                # Debian
  sysctl -w user.max_user_namespaces=10000                    # RHEL`,
  ],
  [
    new RegExp(`there is no ${fuseDevice}|${fuseDevice} cannot be opened`),
    `Load FUSE, as root; a container has to be started with --device ${fuseDevice} then:
  modprobe fuse`,
  ],
  [
    new RegExp(`${fuseDevice} has mode`),
    `Open the device to all users, as root, as usual distributions do; the second line keeps it so:
  chmod 666 ${fuseDevice}
  echo 'KERNEL=="fuse", MODE="0666"' >/etc/udev/rules.d/99-fuse.rules`,
  ],
  [
    /the kernel/,
    'A kernel can do that from Linux 5.11 on, if it has FUSE and overlay file systems, and no security policy forbids it.',
  ],
  [
    /the working directory is itself an overlay/,
    'Keep the root on an ordinary file system; in a container, on a volume.',
  ],
]

/** Undefined where nothing can be done, or nothing has to. */
export function remedyFor(obstacles: readonly string[]): string | undefined {
  return remedies.find(([kind]) => obstacles.some((one) => kind.test(one)))?.[1]
}
