/**
 * A 106-bit hash of a text as base 36: to tell changed from unchanged, not against an adversary. Two runs of a
 * multiply-xor mix over the UTF-16 units with different seeds.
 */
export function textHash(text: string): string {
  return mix(text, 0x9e3779b1).toString(36) + mix(text, 0x85ebca77).toString(36);
}

function mix(text: string, seed: number): number {
  let high = 0xdeadbeef ^ seed;
  let low = 0x41c6ce57 ^ seed;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}
