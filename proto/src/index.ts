// For every program that speaks capstan.v1
export { type FaultCode, faultTable, type GrpcStatusName, grpcStatusNumber, isFaultCode } from "./fault/codes.ts";
export { assertNever, Fault, type FaultInit, faultText, type Where, whereText } from "./fault/fault.ts";
export {
  type Branded,
  type ClusterId,
  type Digest,
  digestHex,
  parseClusterId,
  parseDigest,
  parseTargetKey,
  type TargetKey,
  targetKey,
} from "./identity/names.ts";
export { type ObjectRef, objectKey, objectText, parseObjectKey } from "./identity/object.ts";
export { Notice } from "./loop/notice.ts";
// The exceptions that hub and agent share: time and loop
export { again, done, type Outcome, stalled } from "./loop/outcome.ts";
export { parallel } from "./loop/parallel.ts";
export { KeyedLoop, type LoopOptions } from "./loop/queue.ts";
export { type Backoff, backoffDelay, jittered } from "./time/backoff.ts";
export type { Chance, Clock, Instant } from "./time/clock.ts";
export { cronFault, lastStart, nextStart } from "./time/cron.ts";
export { systemChance, systemClock } from "./time/system.ts";
// The wire
export { bundleKeyInfo, cutChunks, type Domain, domains, joinChunks, signedBytes } from "./wire/envelope.ts";
export { type Feature, features, missingFeatures, negotiate, protocol, type Spoken } from "./wire/handshake.ts";
export { jqProblem } from "./wire/jq.ts";
export { limits } from "./wire/limits.ts";
export {
  chunkRequestSubject,
  chunkSubject,
  desiredKey,
  desiredRequestSubject,
  hintSubject,
  inboxPrefix,
} from "./wire/subjects.ts";
export { type WindowGate, windowsOpen } from "./wire/windows.ts";
