/** How a store in S3 is reached, beside its URL. */
export interface S3Settings {
  region?: string | undefined
  /** The URL of a provider that is not Amazon. */
  endpoint?: string | undefined
  /** Whether the bucket is the first part of a path, not of a host name. Default: for all but Amazon. */
  path_style?: boolean | undefined
  /** The smallest size of a part, in bytes; larger ones come where there would be too many. */
  part_size?: number | undefined
  /** For what is sent in parts or whole, but not for records, which must be there to be read. */
  storage_class?: string | undefined
}

/** A bucket, and what all keys begin with: empty, or ended by a slash. */
export interface S3Bucket {
  bucket: string
  prefix: string
}
