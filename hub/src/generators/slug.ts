import { goLower } from "../template/functions/strings.ts";

const slugLength = 50;

// What stands for a letter of Latin script that does not fall apart into a letter and its marks.
const latin: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  Æ: "AE",
  œ: "oe",
  Œ: "OE",
  ø: "o",
  Ø: "O",
  ð: "d",
  Ð: "D",
  þ: "th",
  Þ: "Th",
  đ: "d",
  Đ: "D",
  ħ: "h",
  Ħ: "H",
  ı: "i",
  ł: "l",
  Ł: "L",
  ŋ: "ng",
  Ŋ: "NG",
  ŧ: "t",
  Ŧ: "T",
};

/**
 * `branch_slug` of a pull request, as github.com/gosimple/slug makes it for Argo CD: at most 50 characters, cut at a dash
 * where there is one. Letters of Latin script lose their marks; other scripts become dashes.
 */
export function slugOf(text: string): string {
  const plain = text
    .trim()
    .replace(/_/g, "-")
    .replace(/&/g, "and")
    .replace(/@/g, "at")
    .replace(/["'’]/g, "")
    .replace(/[‒–—―]/g, "-")
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/[^\0-\x7f]/gu, (letter) => latin[letter] ?? letter);
  const slug = goLower(plain)
    .replace(/[^a-z0-9-_]/gu, "-")
    .replace(/-+/g, "-")
    .replace(/^[-_]+|[-_]+$/g, "");
  if (slug.length <= slugLength) return slug;
  const cut = slug.lastIndexOf("-", slugLength);
  return slug.slice(0, cut < 0 ? slugLength : cut);
}
