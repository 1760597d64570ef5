import { join } from "node:path";
import { readFileIfThere, writeFileAtomic } from "../disk/files.ts";

/**
 * Brings the first admin's file, where it is there, to where the hub is reached now and to its newest CA: whoever logs in
 * by it must find the hub and know it. The token stays.
 */
export async function renewAdminFile(
  data: string,
  now: { readonly endpoints: readonly string[]; readonly cas: readonly Uint8Array[] },
): Promise<void> {
  const file = join(data, "admin.json");
  const written = await readFileIfThere(file);
  if (written === undefined) return;
  const text = new TextDecoder().decode(written);
  const admin = JSON.parse(text) as Record<string, unknown>;
  const ca = Buffer.from(now.cas[0] ?? new Uint8Array()).toString("base64");
  const renewed = `${JSON.stringify({ ...admin, endpoints: now.endpoints, ca }, null, 2)}\n`;
  if (renewed !== text) await writeFileAtomic(file, renewed);
}
