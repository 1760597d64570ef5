import { Fault } from "@capstan/proto";

/** One requirement of a Kubernetes label selector; all must hold. */
export interface Requirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values: readonly string[];
}
export type Selector = readonly Requirement[];

const term =
  /^\s*(?:(!)\s*([^\s=!,()]+)|([^\s=!,()]+)\s+(in|notin)\s*\(([^)]*)\)|([^\s=!,()]+)\s*(==|=|!=)\s*([^\s,()]*)|([^\s=!,()]+))\s*(?:,|$)/;

/** Kubernetes' selector syntax: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. Throws `bad-input` at what it cannot read. */
export function parseSelector(text: string): Selector {
  const requirements: Requirement[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const match = term.exec(rest);
    if (match === null) {
      throw new Fault("bad-input", {
        message: `expected a label selector such as env=prod,tier in (web,api),!legacy, found ${JSON.stringify(text)}.`,
      });
    }
    requirements.push(requirement(match));
    rest = rest.slice(match[0].length).trim();
  }
  return requirements;
}

function requirement(match: RegExpExecArray): Requirement {
  const [, , absent, setKey, setOperator, setValues = "", key, operator, value = "", present] = match;
  if (absent !== undefined) return { key: absent, operator: "DoesNotExist", values: [] };
  if (setKey !== undefined) {
    const values = setValues.split(",").map((part) => part.trim());
    return { key: setKey, operator: setOperator === "in" ? "In" : "NotIn", values };
  }
  if (key !== undefined) return { key, operator: operator === "!=" ? "NotIn" : "In", values: [value] };
  return { key: present ?? "", operator: "Exists", values: [] };
}

/** Whether labels satisfy a selector; NotIn and DoesNotExist hold for an absent key, as in Kubernetes. */
export function selects(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
    }
  });
}
