/** Limits that both sides hold. Bytes unless said otherwise. */
export const limits = {
  /** A stored chunk of a bundle envelope. */
  chunkBytes: 128 * 1024,
  /** From this on, the lists of a desired state become a bundle of their own. */
  inlineListBytes: 512 * 1024,
  /** A bundle's plain content. */
  bundleBytes: 50 * 1024 * 1024,
  /** A bundle's envelope as stored. */
  envelopeBytes: 8 * 1024 * 1024,
  /** Objects in a bundle. */
  bundleObjects: 5000,
  /** One gRPC message. */
  grpcMessageBytes: 4 * 1024 * 1024,
  /** Problems and drifts kept of one target's report. */
  reportProblems: 5,
  /** Characters of a problem's message. */
  problemChars: 1000,
  /** A piece of the agent's cache in its cluster. */
  cachePieceBytes: 768 * 1024,
} as const;
