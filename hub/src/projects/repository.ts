/** One form for the ways to write a repository's URL, for comparing only: lower case, no `.git`, SSH without its scheme. */
export function normalizeRepository(url: string): string {
  let text = url.trim().toLowerCase();
  const isScp = /^(?:ssh:\/\/)?[^/@:]+@[^/:]+:(?!\d+(?:\/|$))/.test(text) && !text.startsWith("ssh://");
  if (isScp) text = text.replace(":", "/");
  return text.replace(/^ssh:\/\//, "").replace(/\.git$/, "");
}
