/**
 * The part of jq that `ignoreDifferences.jqPathExpressions` may use: paths and what chooses among them. Everything in it ends
 * by itself, so that no expression can hold an agent up. What is outside is told by the hub and ignores nothing.
 */
const words = new Set([
  ..."select and or not has any all type length startswith endswith contains inside index".split(" "),
  ..."tostring tonumber ascii_downcase ascii_upcase ltrimstr rtrimstr first last empty".split(" "),
  ..."if then elif else end true false null".split(" "),
]);
const longest = 1_000;
const mostDescents = 2;

/** Why an expression is not understood, in a few words; undefined: it is. */
export function jqProblem(expression: string): string | undefined {
  if (expression.trim() === "") return "it is empty";
  if (expression.length > longest) return `it has more than ${longest} characters`;
  const plain = expression.replaceAll(/"(?:[^"\\]|\\[^(])*"/g, '""');
  if (plain.includes("\\(")) return "it puts expressions into texts";
  const odd = /[$@#]|(?<![=!<>])=(?!=)|\|=|\/\/=/.exec(plain);
  if (odd !== null) return `it uses ${odd[0]}`;
  const word = [...plain.matchAll(/(?<![.\w])[A-Za-z_]\w*/g)]
    .map(([found]) => found)
    .find((found) => !words.has(found));
  if (word !== undefined) return `it uses ${word}`;
  const descents = plain.match(/\.\./g)?.length ?? 0;
  return descents > mostDescents ? `it descends more than ${mostDescents} times` : undefined;
}
