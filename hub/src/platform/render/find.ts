import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** The first executable of that name in a PATH; an absolute name is looked at as it is. */
export async function findOnPath(name: string, path: string): Promise<string | undefined> {
  const candidates = name.startsWith("/") ? [name] : path.split(delimiter).map((directory) => join(directory, name));
  for (const candidate of candidates) {
    const there = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return candidate;
  }
  return undefined;
}
