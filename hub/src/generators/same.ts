/** Whether two sources of parameters are equal: plain JSON by value, all else by identity. */
export function sameSource(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && sameLists(left, right);
  const prototype: unknown = Object.getPrototypeOf(left);
  if (prototype !== Object.getPrototypeOf(right) || (prototype !== Object.prototype && prototype !== null))
    return false;
  const [a, b] = [left as Record<string, unknown>, right as Record<string, unknown>];
  let count = 0;
  for (const key in a) {
    if (!sameSource(a[key], b[key]) || (a[key] === undefined && !Object.hasOwn(b, key))) return false;
    count += 1;
  }
  for (const _ in b) count -= 1;
  return count === 0;
}

function sameLists(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (!sameSource(left[index], right[index])) return false;
  return true;
}
