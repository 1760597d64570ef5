import { Fault } from "@capstan/proto";

const namePattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const prefixPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const maxName = 63;
const maxPrefix = 253;

/** What a key must be, as a sentence goes on after "expected". */
export const keyRule =
  "NAME or PREFIX/NAME: the name 1 to 63 letters, digits, -, _ and ., the first and last a letter or digit, the prefix a DNS name of at most 253";
/** What a label's value must be, as a sentence goes on after "expected". */
export const valueRule =
  "nothing, or at most 63 letters, digits, -, _ and ., the first and last of them a letter or digit";

/** Whether Kubernetes takes it for a label's key (apimachinery `IsQualifiedName`). */
export function isLabelKey(key: string): boolean {
  const parts = key.split("/");
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? parts[0] : undefined;
  if (parts.length > 2 || name.length > maxName || !namePattern.test(name)) return false;
  return prefix === undefined || (prefix.length <= maxPrefix && prefixPattern.test(prefix));
}

/** Whether Kubernetes takes it for a label's value (apimachinery `IsValidLabelValue`). */
export function isLabelValue(value: string): boolean {
  return value === "" || (value.length <= maxName && namePattern.test(value));
}

type Pairs = Readonly<Record<string, string>>;

/** What people write on an object. */
export interface Marks {
  readonly labels?: Pairs | undefined;
  readonly annotations?: Pairs | undefined;
}

/** A key or value that Kubernetes would refuse. */
export interface BadMark {
  readonly map: "labels" | "annotations";
  readonly key: string;
  readonly wrong: "key" | "value";
}

/** The first key or value that does not fit. Annotations hold any text, and upper case in the prefix, as Kubernetes does. */
export function badMark({ labels = {}, annotations = {} }: Marks): BadMark | undefined {
  for (const [key, value] of Object.entries(labels)) {
    if (!isLabelKey(key)) return { map: "labels", key, wrong: "key" };
    if (!isLabelValue(value)) return { map: "labels", key, wrong: "value" };
  }
  const key = Object.keys(annotations).find((each) => !isLabelKey(each.toLowerCase()));
  return key === undefined ? undefined : { map: "annotations", key, wrong: "key" };
}

/** Throws `bad-input` for the first key or value to be set that does not fit; an empty value removes, whatever the key. */
export function checkMarks({ labels, annotations }: Marks): void {
  const bad = badMark({ labels: setOnly(labels), annotations: setOnly(annotations) });
  if (bad === undefined) return;
  const { map, key, wrong } = bad;
  const one = map.slice(0, -1);
  const found = wrong === "key" ? key : (labels?.[key] ?? "");
  const what = wrong === "key" ? `the key of ${one === "label" ? "a" : "an"} ${one}` : `the value of label ${key}`;
  throw new Fault("bad-input", {
    message: `${what} is ${wrong === "key" ? keyRule : valueRule}; found ${JSON.stringify(found)}.`,
    where: { field: map },
    next: wrong === "key" ? "Give it another key." : "Give it another value, or write the text as an annotation.",
  });
}

function setOnly(pairs: Pairs = {}): Pairs {
  return Object.fromEntries(Object.entries(pairs).filter(([, value]) => value !== ""));
}
