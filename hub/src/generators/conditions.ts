import { faultText } from "@capstan/proto";
import { changesText } from "./changes.ts";
import type { Changes, Condition, ElementFault, RejectedApplication } from "./model.ts";

const allGenerated = "Successfully generated parameters for all Applications";
const upToDate = "ApplicationSetUpToDate";

/** The set's conditions after generation, with Argo CD's types and reasons. */
export function conditionsOf(
  faults: readonly ElementFault[],
  rejected: readonly RejectedApplication[],
  changes?: Changes,
): readonly Condition[] {
  const [first] = faults;
  if (first !== undefined) {
    const reason = first.step === "render" ? "RenderTemplateParamsError" : "ApplicationGenerationFromParamsError";
    return failed(reason, withCount(faultText(first.fault), faults.length), false);
  }
  const [wrong] = rejected;
  if (wrong !== undefined)
    return failed("ApplicationValidationError", withCount(faultText(wrong.fault), rejected.length), true);
  return [
    {
      type: "ErrorOccurred",
      status: "False",
      reason: upToDate,
      message: "All applications have been generated successfully",
    },
    {
      type: "ParametersGenerated",
      status: "True",
      reason: "ParametersGenerated",
      message: `${allGenerated}${changes === undefined ? "" : `. ${changesText(changes)}`}`,
    },
  ];
}

function withCount(text: string, count: number): string {
  return count > 1 ? `${text} (and ${count - 1} more)` : text;
}

function failed(reason: string, message: string, generated: boolean): readonly Condition[] {
  return [
    { type: "ErrorOccurred", status: "True", reason, message },
    {
      type: "ParametersGenerated",
      status: generated ? "True" : "False",
      reason: generated ? "ParametersGenerated" : reason,
      message: generated ? allGenerated : message,
    },
    { type: "ResourcesUpToDate", status: "False", reason, message },
  ];
}
