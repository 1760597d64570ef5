import { Fault, type Where } from "@capstan/proto";

/**
 * A file's text, without a byte order mark. Throws `bad-yaml` with the line of the first bytes that are no UTF-8: a lenient
 * reader would put replacement characters in their place and so deliver other content than what Git holds.
 */
export function textOf(bytes: Uint8Array, where: Where): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Fault("bad-yaml", {
      message: "expected text in UTF-8, found bytes that are none.",
      where: { ...where, line: lineOfDamage(bytes) },
      next: "Save the file as UTF-8; bytes that are no text belong into binaryData, as base64.",
      cause,
    });
  }
}

/** What a lenient reader replaced is where its text, written again, first differs. */
function lineOfDamage(bytes: Uint8Array): number {
  const again = new TextEncoder().encode(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  const at = bytes.findIndex((byte, index) => byte !== again[index]);
  return bytes.subarray(0, at).filter((byte) => byte === 10).length + 1;
}
