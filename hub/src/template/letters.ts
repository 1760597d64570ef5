/** Go's unicode.ToUpper: one character for one, so that ß stays. */
export function upperCharacter(character: string): string {
  const upper = character.toUpperCase();
  return [...upper].length === 1 ? upper : character;
}

/** Go's unicode.ToLower: one character for one, so that İ becomes i. */
export function lowerCharacter(character: string): string {
  if (character === "\u0130") return "i";
  const lower = character.toLowerCase();
  return [...lower].length === 1 ? lower : character;
}
