/** Something that is not as it was when the backup was made. */
export interface Fault {
  /** Below the backup's directory. */
  file: string
  /** `it is missing` */
  problem: string
}
