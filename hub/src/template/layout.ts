/** The parts of a Go time layout: reference elements, and text between them. */
export type LayoutPart = { readonly text: string } | { readonly element: string };

// Longest first, as Go looks for them.
const elements = [
  "January",
  "Jan",
  "Monday",
  "Mon",
  "MST",
  "2006",
  "Z07:00:00",
  "Z070000",
  "Z07:00",
  "Z0700",
  "Z07",
  "-07:00:00",
  "-070000",
  "-07:00",
  "-0700",
  "-07",
  "002",
  "01",
  "02",
  "03",
  "04",
  "05",
  "06",
  "__2",
  "_2",
  "15",
  "PM",
  "pm",
  "1",
  "2",
  "3",
  "4",
  "5",
];

/** Splits a layout such as `2006-01-02T15:04:05Z07:00`. */
export function layoutParts(layout: string): readonly LayoutPart[] {
  const parts: LayoutPart[] = [];
  let text = "";
  for (let at = 0; at < layout.length; ) {
    const element = elementAt(layout, at);
    if (element === undefined) {
      text += layout[at];
      at += 1;
      continue;
    }
    if (text !== "") parts.push({ text });
    text = "";
    parts.push({ element });
    at += element.length;
  }
  if (text !== "") parts.push({ text });
  return parts;
}

function elementAt(layout: string, at: number): string | undefined {
  const fraction = /^[.,](?:0+|9+)(?![0-9])/.exec(layout.slice(at, at + 32));
  if (fraction !== null) return fraction[0];
  // "_2006" is an underscore and a year; "Jan" and "Mon" must not run on into a longer word.
  if (layout.startsWith("_2006", at)) return undefined;
  const found = elements.find((element) => layout.startsWith(element, at));
  if ((found === "Jan" || found === "Mon") && /[a-z]/.test(layout[at + 3] ?? "")) return undefined;
  return found;
}
