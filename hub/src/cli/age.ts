import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Instant } from "@capstan/proto";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A length of time in at most two units: `3 s`, `4 min`, `2 h 11 min`, `3 d 4 h`. */
export function span(ms: number): string {
  const left = Math.max(0, ms);
  if (left < minute) return `${Math.floor(left / second)} s`;
  if (left < hour) return `${Math.floor(left / minute)} min`;
  if (left < day) return two(left, [hour, "h"], [minute, "min"]);
  return two(left, [day, "d"], [hour, "h"]);
}

/** Milliseconds of a timestamp; undefined where none is set. */
export function msOf(at: Timestamp | undefined): Instant | undefined {
  return at === undefined ? undefined : timestampMs(at);
}

/** `for` how long something has been so, in a table's cell; `-` where that is not known. */
export function ageCell(at: Timestamp | undefined, now: Instant): string {
  const ms = msOf(at);
  return ms === undefined ? "-" : span(now - ms);
}

/** ` (since 4 min)`; empty where that is not known. */
export function sinceText(at: Timestamp | undefined, now: Instant): string {
  const ms = msOf(at);
  return ms === undefined ? "" : ` (since ${span(now - ms)})`;
}

/** `14:05:12`, with the day before it when it was another one; local time by the offset (minutes). */
export function clockText(at: Instant, now: Instant, offset: number): string {
  const local = isoAt(at, offset);
  const time = local.slice(11, 19);
  return local.slice(0, 10) === isoAt(now, offset).slice(0, 10) ? time : `${local.slice(0, 10)} ${time}`;
}

/** `2026-11-21 14:05:12` in local time by the offset (minutes). */
export function dateText(at: Instant, offset: number): string {
  return isoAt(at, offset).slice(0, 19).replace("T", " ");
}

function isoAt(at: Instant, offset: number): string {
  return new Date(at + offset * minute).toISOString();
}

function two(ms: number, [big, bigName]: [number, string], [small, smallName]: [number, string]): string {
  const rest = Math.floor((ms % big) / small);
  return `${Math.floor(ms / big)} ${bigName}${rest === 0 ? "" : ` ${rest} ${smallName}`}`;
}
