import type { BackupForm } from '../catalog/backup.js'
import type { LocalPlace } from '../place/local-place.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import type { StandbyState } from '../postgres/server/standby-state.js'
import type { Wire } from './copy/base-backup.js'
import type { ShareSettings } from './share-with-previous.js'

/** Everything that has been checked, and what is wanted. */
export interface CreateJob {
  place: LocalPlace
  server: ConnectedServer
  /** Where the server is one. */
  standby: StandbyState | undefined
  applicationName: string
  label: string | undefined
  scheduled: boolean
  checkpoint: 'fast' | 'spread'
  maxRate: string | undefined
  wire: Wire
  verify: boolean
  independent: boolean
  sharing: ShareSettings
  form: BackupForm
  /** Whether what the server sends goes straight into an image. */
  streams: boolean
}
