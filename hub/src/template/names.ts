import { goLower } from "./functions/strings.ts";

const maxName = 253;

/** Argo CD's `normalize`: what is left may stand in a DNS name. */
export function normalizeName(name: string): string {
  const safe = goLower(name).replace(/[^-a-z0-9.]/gu, "-");
  return safe.slice(0, maxName).replace(/^[-.]+|[-.]+$/g, "");
}

/** Argo CD's `slugify`: a normalised name without dots, cut to the size, at the end of a word where it may. */
export function slugifyName(name: string, size: number, smart: boolean): string | undefined {
  let slug = normalizeName(name);
  if (!smart && slug.length >= size) {
    if (size < 0) return undefined;
    slug = slug.slice(0, size);
  }
  slug = slug
    .replace(/[^a-zA-Z0-9-_]/g, "-")
    .replace(/-+/g, "-")
    .replace(/^[-_]+|[-_]+$/g, "");
  if (!smart || size <= 0 || slug.length <= size) return slug;
  const cut = slug.lastIndexOf("-", size);
  return slug.slice(0, cut < 0 ? size : cut);
}
