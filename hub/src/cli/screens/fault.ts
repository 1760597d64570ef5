import type { FaultDetail } from "@capstan/proto/common";
import { type Look, wrapped } from "../look.ts";

/** `argocd/team-apps.yaml:31:5, set team-apps: what is wrong (code)` */
export function faultLine({ code, message, where }: FaultDetail): string {
  const place = placeText(where);
  return `${place === "" ? "" : `${place}: `}${message.trimEnd()} (${code})`;
}

/** The next step as a line of its own, where there is one. */
export function faultNext({ next }: FaultDetail): string[] {
  return next === "" ? [] : [`  ${next}`];
}

/** A fault in lines that fit, indented. */
export function faultLines(fault: FaultDetail, look: Look, indent = ""): string[] {
  const fit = (text: string) => wrapped(text, Math.max(30, look.width - indent.length));
  return [faultLine(fault), ...faultNext(fault)].flatMap(fit).map((text) => `${indent}${text}`);
}

/** `file:line:column`, then the other places by name. */
export function placeText(where: Readonly<Record<string, string>>): string {
  const { file, line, column, ...rest } = where;
  const place = [file, line, column].filter((part) => part !== undefined && part !== "").join(":");
  const others = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return [place, ...others].filter((part) => part !== "").join(", ");
}
