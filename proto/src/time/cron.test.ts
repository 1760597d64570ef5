import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "../fault/fault.ts";
import { lastStart, nextStart } from "./cron.ts";

const at = (text: string) => Date.parse(text);
const hour = 3_600_000;

describe("the last start of a schedule", () => {
  const cases: readonly (readonly [schedule: string, zone: string, now: string, start: string | undefined])[] = [
    ["0 22 * * *", "UTC", "2026-03-10T22:30:00Z", "2026-03-10T22:00:00Z"],
    ["0 22 * * *", "UTC", "2026-03-10T23:00:00Z", undefined],
    ["0 22 * * *", "Europe/Berlin", "2026-01-10T21:30:00Z", "2026-01-10T21:00:00Z"],
    ["0 22 * * *", "Europe/Berlin", "2026-07-10T20:30:00Z", "2026-07-10T20:00:00Z"],
    ["30 9 * * *", "Asia/Kolkata", "2026-07-10T04:30:00Z", "2026-07-10T04:00:00Z"],
    ["*/20 * * * *", "UTC", "2026-03-10T10:59:59Z", "2026-03-10T10:40:00Z"],
    ["0 8 * * mon-fri", "UTC", "2026-03-13T08:15:00Z", "2026-03-13T08:00:00Z"],
    ["0 8 * * mon-fri", "UTC", "2026-03-14T08:15:00Z", undefined],
    ["0 8 * * 7", "UTC", "2026-03-15T08:15:00Z", "2026-03-15T08:00:00Z"],
    ["0 8 1 * 1", "UTC", "2026-03-09T08:15:00Z", "2026-03-09T08:00:00Z"],
    ["0 8 1 * 1", "UTC", "2026-03-10T08:15:00Z", undefined],
    ["15,45 8-9 * jan,dec *", "UTC", "2026-12-10T09:50:00Z", "2026-12-10T09:45:00Z"],
    ["5/10 * * * *", "UTC", "2026-12-10T09:56:00Z", "2026-12-10T09:55:00Z"],
  ];
  for (const [schedule, zone, now, start] of cases) {
    it(`${schedule} in ${zone} at ${now}: ${start ?? "none within the hour"}`, () => {
      const found = lastStart(schedule, zone, { now: at(now), within: hour });
      assert.equal(found instanceof Fault ? found.message : found, start === undefined ? undefined : at(start));
    });
  }

  it("refuses what it cannot read", () => {
    for (const schedule of ["* * * *", "60 * * * *", "* * * * frog", "5-1 * * * *", "", "*/0 * * * *"]) {
      assert.ok(lastStart(schedule, "UTC", { now: 0, within: hour }) instanceof Fault, schedule);
    }
    assert.ok(lastStart("* * * * *", "Mars/Olympus", { now: 0, within: hour }) instanceof Fault);
  });

  it("finds the next one, over a change of summer time too", () => {
    const next = (schedule: string, zone: string, now: string) =>
      nextStart(schedule, zone, { now: at(now), within: 40 * 24 * hour });
    assert.equal(next("0 22 * * *", "UTC", "2026-03-10T22:00:00Z"), at("2026-03-11T22:00:00Z"));
    assert.equal(next("0 8 1 * *", "Europe/Berlin", "2026-03-20T00:00:00Z"), at("2026-04-01T06:00:00Z"));
    // 02:30 does not exist in Berlin on the 29th of March 2026: the next day has it.
    assert.equal(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z"), at("2026-03-30T00:30:00Z"));
    assert.equal(next("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z"), undefined);
  });

  it("looks back as far as a long freeze lasts", () => {
    const found = lastStart("0 0 20 12 *", "UTC", { now: at("2026-12-31T00:00:00Z"), within: 14 * 24 * hour });
    assert.equal(found, at("2026-12-20T00:00:00Z"));
  });
});
