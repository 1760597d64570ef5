import { isMap } from "@capstan/proto/verdict";
import { isSecretKind, type KubeObject, kindOf } from "../inventory/object.ts";

const hidden = "***";
/** Shorter values would hide ordinary words, and are no secrets worth the name. */
const leastChars = 6;

/** Hides the values that a target's own Secrets hold wherever they stand in a text. */
export class Mask {
  readonly #values = new Set<string>();

  /** Takes note of an object of the target's bundle. */
  learn(object: KubeObject): void {
    if (!isSecretKind(kindOf(object))) return;
    const plain = isMap(object["stringData"]) ? Object.values(object["stringData"]) : [];
    const encoded = isMap(object["data"]) ? Object.values(object["data"]) : [];
    for (const value of plain) this.#add(value);
    for (const value of encoded) {
      if (typeof value !== "string") continue;
      this.#add(value);
      this.#add(decoded(value));
    }
  }

  /** The text with every known value hidden, the longest first. */
  apply(text: string): string {
    let masked = text;
    for (const value of [...this.#values].sort((a, b) => b.length - a.length))
      masked = masked.replaceAll(value, hidden);
    return masked;
  }

  /** Of a value of several lines each line is hidden, as a log shows it. */
  #add(value: unknown): void {
    if (typeof value !== "string") return;
    for (const line of value.split("\n")) if (line.trim().length >= leastChars) this.#values.add(line.trim());
  }
}

function decoded(text: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
  } catch {
    // Binary, or no base64: nothing that a log would show as it is.
    return "";
  }
}
