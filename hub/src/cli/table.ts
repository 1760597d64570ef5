import { cut, type Look, type Tone, toned } from "./look.ts";

/** A column of a table. */
export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string;
  readonly tone?: (row: T) => Tone | undefined;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  /** May be cut where the line is too long; the last such column gives way first. */
  readonly gives?: boolean;
}

const gap = 2;
const leastWidth = 8;

/** A table of the rows in lines, head first; it fits the width where the columns that give way allow it. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[], look: Look): string[] {
  const shown = columns.filter(({ wide }) => look.wide || wide !== true);
  const cells = rows.map((row) => shown.map(({ cell }) => oneLine(cell(row))));
  const natural = shown.map(({ head }, at) => Math.max(head.length, ...cells.map((line) => line[at]?.length ?? 0)));
  const sizes = look.wide ? natural : fitted(shown, natural, look.width);
  const head = line(shown.map(({ head: text }, at) => toned(look, "quiet", padded(text, sizes[at], at, shown.length))));
  const body = rows.map((row, index) =>
    line(
      shown.map(({ tone }, at) => {
        const text = cut(cells[index]?.[at] ?? "", sizes[at] ?? 0);
        return toned(look, tone?.(row), text) + padding(text, sizes[at], at, shown.length);
      }),
    ),
  );
  return [head, ...body];
}

function fitted<T>(columns: readonly Column<T>[], natural: readonly number[], width: number): number[] {
  const sizes = [...natural];
  const total = () => sizes.reduce((sum, size) => sum + size, 0) + gap * (sizes.length - 1);
  for (let at = columns.length - 1; at >= 0; at--) {
    const excess = total() - width;
    if (excess <= 0) break;
    const column = columns[at];
    if (column?.gives !== true) continue;
    const size = sizes[at] ?? 0;
    sizes[at] = Math.max(Math.min(size, Math.max(leastWidth, column.head.length)), size - excess);
  }
  return sizes;
}

function padded(text: string, size: number | undefined, at: number, count: number): string {
  return text + padding(text, size, at, count);
}

/** The last column has no space behind it. */
function padding(text: string, size: number | undefined, at: number, count: number): string {
  return at === count - 1 ? "" : " ".repeat(Math.max(0, (size ?? 0) - text.length));
}

function line(cells: readonly string[]): string {
  return cells.join(" ".repeat(gap)).trimEnd();
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}
