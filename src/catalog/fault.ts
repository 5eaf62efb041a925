/** Something that is not as it was when the backup was made. */
export interface Fault {
  /** Below the directory that was looked at. */
  file: string
  /** `it is missing` */
  problem: string
}
