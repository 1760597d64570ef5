import { isLabelKey, isLabelValue } from "../documents/labels.ts";
import type { JsonObject } from "../documents/model.ts";
import { badInput } from "./context.ts";

/** Whether labels fulfil a selector. */
export type Matcher = (labels: { get(key: string): string | undefined }) => boolean;

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/**
 * Compiles a Kubernetes label selector. `values: "any"` lets values be any text, as Argo CD does for the selector beside
 * a generator; `labels` checks them as Kubernetes does. An empty selector matches all. Throws `bad-input`.
 */
export function compileSelector(selector: JsonObject, values: "any" | "labels"): Matcher {
  const { matchLabels = {}, matchExpressions = [] } = selector as LabelSelector;
  const matchers = [
    ...Object.entries(matchLabels).map(([key, value]) => requirement({ key, operator: "In", values: [value] }, values)),
    ...matchExpressions.map((expression) => requirement(expression, values)),
  ];
  return (labels) => matchers.every((matches) => matches(labels));
}

function requirement(
  expression: { readonly key: string; readonly operator: string; readonly values?: readonly string[] },
  rule: "any" | "labels",
): Matcher {
  const { key, operator, values = [] } = expression;
  checkKey(key);
  const wantsValues = operator === "In" || operator === "NotIn";
  if (!wantsValues && operator !== "Exists" && operator !== "DoesNotExist") {
    throw badInput(
      `a selector's operator is In, NotIn, Exists or DoesNotExist; found ${JSON.stringify(operator)}.`,
      "Use one of the four.",
    );
  }
  if (wantsValues !== values.length > 0) {
    throw badInput(
      `the selector on ${key} with ${operator} ${wantsValues ? "needs values" : "takes no values"}.`,
      "Mend the selector.",
    );
  }
  if (rule === "labels") for (const value of values) checkValue(key, value);
  const set = new Set(values);
  switch (operator) {
    case "In":
      return (labels) => set.has(labels.get(key) ?? "") && labels.get(key) !== undefined;
    case "NotIn":
      return (labels) => labels.get(key) === undefined || !set.has(labels.get(key) ?? "");
    case "Exists":
      return (labels) => labels.get(key) !== undefined;
    default:
      return (labels) => labels.get(key) === undefined;
  }
}

function checkKey(key: string): void {
  if (!isLabelKey(key))
    throw badInput(
      `${JSON.stringify(key)} is no label key.`,
      "Write NAME or PREFIX/NAME with letters, digits, -, _ and . only.",
    );
}

function checkValue(key: string, value: string): void {
  if (!isLabelValue(value)) {
    throw badInput(
      `${JSON.stringify(value)} is no label value (selector on ${key}).`,
      "Use at most 63 letters, digits, -, _ and .",
    );
  }
}
