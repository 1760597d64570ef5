import type { Instant } from "@capstan/proto";

/** What a text means to the eye; shown as colour where there are colours. */
export type Tone = "good" | "busy" | "bad" | "quiet" | "strong";

/** How a screen is drawn: everything that is not the facts. */
export interface Look {
  readonly now: Instant;
  /** Columns that a line may take. */
  readonly width: number;
  /** Nothing is cut, and tables have more columns. */
  readonly wide: boolean;
  /** Minutes that local time is ahead of UTC. */
  readonly utcOffset: number;
  readonly colours: boolean;
}

/** Widest screen that is drawn where the terminal does not say, and the least that is reckoned with. */
export const widths = { usual: 100, least: 60 } as const;

const codes: Record<Tone, number> = { good: 32, busy: 36, bad: 31, quiet: 2, strong: 1 };
const escape = String.fromCharCode(27);

/** The text in its tone; unchanged without colours. */
export function toned(look: Look, tone: Tone | undefined, text: string): string {
  return look.colours && tone !== undefined && text !== "" ? `${escape}[${codes[tone]}m${text}${escape}[0m` : text;
}

/** Words in lines of at most `width` columns; a word that is longer gets a line of its own. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line.trimEnd());
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    lines.push(line.trimEnd());
  }
  return lines;
}

/** `1 cluster`, `2 clusters`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** At most `width` columns, cut at the end with an ellipsis. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
