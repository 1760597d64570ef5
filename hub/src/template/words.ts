import { runes } from "./bytes.ts";
import { upperCharacter } from "./letters.ts";
import { isSpace } from "./spaces.ts";

/** How github.com/huandu/xstrings, which sprig uses, takes names apart. */
type WordKind = "invalid" | "number" | "upper" | "letters" | "connector" | "punctuation" | "other";

function isConnector(character: string): boolean {
  return character === "-" || character === "_" || isSpace(character);
}

const isUpper = (character: string) => /^\p{Lu}$/u.test(character);
const isNumber = (character: string) => /^\p{N}$/u.test(character);
const isPunctuation = (character: string) => /^\p{P}$/u.test(character);

/** Letters of scripts that join them into words; CJK characters are words of their own. */
function isAlphabet(character: string): boolean {
  if (!/^\p{L}$/u.test(character)) return false;
  const code = character.codePointAt(0) ?? 0;
  return !(
    (code >= 0x4e00 && code <= 0x9fcc) ||
    (code >= 0x3400 && code <= 0x4d85) ||
    (code >= 0x20000 && code <= 0x2b81d)
  );
}

interface Word {
  readonly kind: WordKind;
  readonly text: string;
}

function nextWord(characters: readonly string[], at: number): Word {
  const first = characters[at];
  if (first === undefined) return { kind: "invalid", text: "" };
  const run = (test: (character: string) => boolean, from = at + 1) => {
    let end = from;
    while (end < characters.length && test(characters[end] ?? "")) end += 1;
    return end;
  };
  const word = (kind: WordKind, end: number): Word => ({ kind, text: characters.slice(at, end).join("") });
  if (isConnector(first)) return word("connector", run(isConnector));
  if (isPunctuation(first)) return word("punctuation", run(isPunctuation));
  if (isUpper(first)) {
    const second = characters[at + 1] ?? "";
    const lower = (character: string) => isAlphabet(character) && !isUpper(character);
    if (isUpper(second)) {
      const end = run(isUpper);
      // "HTTPStatus" is HTTP and Status.
      return word("upper", end < characters.length && isAlphabet(characters[end] ?? "") ? end - 1 : end);
    }
    return word("upper", lower(second) ? run(lower) : at + 1);
  }
  if (isAlphabet(first))
    return word(
      "letters",
      run((character) => isAlphabet(character) && !isUpper(character)),
    );
  if (isNumber(first)) return word("number", run(isNumber));
  return word(
    "other",
    run(
      (character) =>
        !isConnector(character) && !isAlphabet(character) && !isNumber(character) && !isPunctuation(character),
    ),
  );
}

class CaseWriter {
  readonly #characters: readonly string[];
  readonly #connector: string;
  #at = 0;
  #out = "";

  constructor(text: string, connector: string) {
    this.#characters = runes(text);
    this.#connector = connector;
  }

  #take(): Word {
    const word = nextWord(this.#characters, this.#at);
    this.#at += [...word.text].length;
    return word;
  }

  #write(word: Word): void {
    if (word.kind !== "upper" && word.kind !== "connector") {
      this.#out += word.text;
      return;
    }
    for (const character of word.text) {
      this.#out += isConnector(character) ? this.#connector : isUpper(character) ? character.toLowerCase() : character;
    }
  }

  /** Writes words while they are letters or numbers; gives the first that is not. */
  #writeRun(from: Word): Word {
    let word = from;
    while (word.kind === "letters" || word.kind === "number") {
      this.#write(word);
      word = this.#take();
    }
    return word;
  }

  run(): string {
    if (this.#characters.length === 0) return "";
    let word = this.#take();
    while (this.#at < this.#characters.length) {
      if (word.kind !== "connector") this.#write(word);
      const before = word;
      word = this.#take();
      word = this.#join(before, word);
    }
    this.#write(word);
    return this.#out;
  }

  #separates(word: Word): boolean {
    return word.kind !== "connector" && word.kind !== "punctuation";
  }

  #join(before: Word, given: Word): Word {
    let word = given;
    switch (before.kind) {
      case "number":
        word = this.#writeRun(word);
        if (word.kind !== "invalid" && this.#separates(word)) this.#out += this.#connector;
        return word;
      case "connector":
        this.#write(before);
        return word;
      case "punctuation":
        return word;
      default:
        if (word.kind === "number") return this.#joinNumber(word);
        if (this.#separates(word)) this.#out += this.#connector;
        return word;
    }
  }

  /** A number belongs to the word before it, unless letters follow it: http2xx is http_2xx. */
  #joinNumber(number: Word): Word {
    if (this.#at >= this.#characters.length) return number;
    let word = this.#take();
    if (word.kind !== "letters") {
      this.#write(number);
      if (this.#separates(word)) this.#out += this.#connector;
      return word;
    }
    this.#out += this.#connector;
    this.#write(number);
    word = this.#writeRun(word);
    if (word.kind !== "invalid" && this.#separates(word)) this.#out += this.#connector;
    return word;
  }
}

/** `snake_case`, as the library that sprig uses writes it. */
export function snakeCase(text: string): string {
  return new CaseWriter(text, "_").run();
}

/** `kebab-case`, likewise. */
export function kebabCase(text: string): string {
  return new CaseWriter(text, "-").run();
}

/** `some_words` to `SomeWords`; connectors at the start stay. */
export function pascalCase(text: string): string {
  const characters = runes(text);
  let at = 0;
  let out = "";
  let current = "";
  let upper = false;
  for (; at < characters.length; at += 1) {
    current = characters[at] ?? "";
    if (!isConnector(current)) {
      upper = isUpper(current);
      current = upperCharacter(current);
      at += 1;
      break;
    }
    out += current;
  }
  if (at >= characters.length) return out + (characters.length > 0 ? current : "");
  for (; at < characters.length; at += 1) {
    const previous = current;
    current = characters[at] ?? "";
    if (isConnector(current) && isConnector(previous)) {
      out += previous;
      continue;
    }
    if (isConnector(previous)) {
      upper = isUpper(current);
      current = upperCharacter(current);
    } else {
      if (upper && isUpper(current)) current = current.toLowerCase();
      else if (upper) upper = false;
      out += previous;
    }
  }
  return out + current;
}
