import fc from "fast-check";
import { floatLiterals, floats, intLiterals, pick, smallLiterals, texts, word } from "./literals.ts";
import { type Kind, signatures } from "./signatures.ts";

/** A question to both engines. */
export interface Question {
  readonly template: string;
  readonly params: { readonly [key: string]: unknown };
  readonly goTemplate: boolean;
  readonly options: readonly string[];
  readonly typed: Readonly<Record<string, "stringMap" | "stringList">>;
}

const paramsOf: Readonly<Record<string, readonly string[]>> = {
  s: [".s", ".t", ".m.s", ".strs.k", "$.s", "(index .strl 0)"],
  i: ["(int .f)", "(len .l)"],
  n: [".f", ".g", ".big", "(int64 .f)", "(int .g)", ".s"],
  b: [".yes", ".no"],
  l: [".l", ".strl", ".nest", ".empty", '(list 1 "a" nil 2.5)', '(splitList "," .s)', "(until 4)"],
  m: [".m", ".strs", ".deep", ".deep.a", "(dict)", '(dict "a" 1 "b" "x")'],
  a: [
    ".",
    "$",
    ".s",
    ".f",
    ".l",
    ".m",
    ".nul",
    ".nope",
    ".yes",
    ".strs",
    ".strl",
    ".deep.a.b",
    ".strs.nope",
    "nil",
    ".nope.deeper",
    "$x",
    "$y",
  ],
  t: [
    '(toDate "2006-01-02" "2024-02-29")',
    "0",
    "(int64 1700000000)",
    "1700000000",
    '(toDate "2006-01-02T15:04:05Z07:00" "2023-11-05T13:04:05.123456789+02:00")',
  ],
  v: ['(semver "1.2.3-beta+x")'],
};

/** An argument of a kind; one in ten is of any other kind, which the function must refuse as Go does. */
function argumentOf(kind: string, call: (result: Kind | undefined) => fc.Arbitrary<string>): fc.Arbitrary<string> {
  const nested = (result?: Kind) => call(result).map((text) => `(${text})`);
  const text = texts[kind];
  const own = ((): fc.Arbitrary<string> => {
    if (text !== undefined && kind !== "s")
      return fc.oneof({ arbitrary: text, weight: 9 }, { arbitrary: pick(...(paramsOf["s"] ?? [])), weight: 1 });
    switch (kind) {
      case "s":
        return fc.oneof(texts["s"] ?? pick(), pick(...(paramsOf["s"] ?? [])), nested("s"));
      case "i":
        return fc.oneof(pick(...intLiterals), pick(...(paramsOf["i"] ?? [])), nested("i"));
      case "small":
        return fc.oneof({ arbitrary: pick(...smallLiterals), weight: 5 }, pick("(int .f)", "(len .l)"));
      case "count":
        return pick("0", "1", "2", "3", "5", "-1");
      case "f":
        return pick("0.5", "0.1", "0.9", "1.0");
      case "n":
        return fc.oneof(pick(...intLiterals), pick(...floatLiterals), pick(...(paramsOf["n"] ?? [])), nested("n"));
      case "o":
        return fc.oneof(
          pick(...intLiterals),
          pick(".f", "(int64 .f)", "(int .f)", "1.5", ".s", ".t", '"a"', "true", ".nul", ".nope"),
        );
      case "x":
        return fc.oneof(pick(...smallLiterals), texts["key"] ?? pick(), pick(".s", ".f", ".nul", "nil"));
      case "c":
        return fc.oneof(
          pick(...(paramsOf["l"] ?? [])),
          pick(...(paramsOf["m"] ?? [])),
          texts["s"] ?? pick(),
          nested("l"),
          nested("m"),
        );
      case "pair":
        return fc.tuple(texts["key"] ?? pick(), argumentOf("a", call)).map((two) => two.join(" "));
      case "t":
        return fc.oneof(pick(...(paramsOf["t"] ?? [])), nested("t"));
      case "a":
        return fc.oneof(
          { arbitrary: pick(...(paramsOf["a"] ?? [])), weight: 3 },
          { arbitrary: nested(), weight: 2 },
          pick(...intLiterals),
          pick(...floatLiterals),
          texts["s"] ?? pick(),
          pick("true", "false", '(semver "1.2.3")', "(list)", "(dict)"),
        );
      default:
        return fc.oneof(pick(...(paramsOf[kind] ?? ["nil"])), nested(kind as Kind));
    }
  })();
  const stray = pick(
    ".s",
    ".f",
    ".l",
    ".m",
    ".nul",
    ".nope",
    "nil",
    "1",
    "1.5",
    '"x"',
    "true",
    ".strs",
    ".strl",
    "$x",
    "'c'",
    "(int64 3)",
  );
  return kind === "t" ? own : fc.oneof({ arbitrary: own, weight: 14 }, { arbitrary: stray, weight: 1 });
}

const names = Object.keys(signatures);
/** Given what is no time, the others ask for the present, which passes between the two answers. */
const timeless = names.filter((name) => !/date|ago/i.test(name));

function argumentsOf(name: string, call: (result: Kind | undefined) => fc.Arbitrary<string>): fc.Arbitrary<string[]> {
  const kinds = (signatures[name]?.[0] ?? "").split(" ").filter((kind) => kind !== "");
  const parts = kinds.map((kind): fc.Arbitrary<string[]> => {
    if (kind.endsWith("*")) return fc.array(argumentOf(kind.slice(0, -1), call), { maxLength: 3 });
    if (kind.endsWith("?")) return fc.array(argumentOf(kind.slice(0, -1), call), { maxLength: 1 });
    return argumentOf(kind, call).map((one) => [one]);
  });
  return fc.tuple(...parts).map((lists) => lists.flat());
}

function callAt(depth: number, result: Kind | undefined, only?: readonly string[]): fc.Arbitrary<string> {
  const fitting = only ?? (result === undefined ? names : names.filter((name) => signatures[name]?.[1] === result));
  const simple = depth <= 0 ? (result === undefined ? paramsOf["a"] : paramsOf[result]) : undefined;
  if (simple !== undefined || fitting.length === 0) return pick(...(simple ?? ["1"]));
  return fc.constantFrom(...fitting).chain((name) =>
    fc
      .tuple(
        argumentsOf(name, (inner) => fc.constant(undefined).chain(() => callAt(depth - 1, inner))),
        fc.nat(9),
      )
      .map(([args, dice]) => {
        const sorted = name === "keys" ? [] : args;
        if (name === "keys") return "keys .m | sortAlpha";
        const last = sorted.at(-1);
        // Some bring their last argument by the pipeline, as people write it; a few get one too few or too many.
        if (last !== undefined && dice < 3) return `${last} | ${[name, ...sorted.slice(0, -1)].join(" ")}`;
        if (dice === 9 && sorted.length > 0)
          return [name, ...sorted, "1"].slice(0, sorted.length + (sorted.length % 3)).join(" ");
        return [name, ...sorted].join(" ");
      }),
  );
}

const chainable = fc.constantFrom(
  ".s",
  ".f",
  ".l",
  ".m.s",
  ".deep.a.b",
  ".nope",
  ".nope.x",
  ".nul",
  ".nul.x",
  ".strs.k",
  ".strs.zz",
  "$.m",
  ".s.x",
  ".l.x",
  '(dict "a" 1).a',
  "(index .nest 0)",
  "$x",
  "$y",
  "$x.a",
  ".m.m2.k",
  '(semver "1.2.3").Major',
  ".",
  "$",
  "true",
  "nil",
  "1",
  "'x'",
  "1.5e3",
  '"s"',
  "`raw`",
  "(1)",
  "(.m).s",
  "(.s)",
);

/** One action's pipeline. */
function pipelines(only?: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { arbitrary: callAt(2, undefined, only), weight: 8 },
    {
      arbitrary: fc
        .tuple(callAt(1, undefined, only), callAt(0, undefined), fc.constantFrom(...timeless))
        .map(([first, , name]) => `${first} | ${name}`),
      weight: 1,
    },
    { arbitrary: chainable, weight: 1 },
  );
}

const trims = fc.constantFrom<readonly [string, string]>(
  ["{{ ", " }}"],
  ["{{ ", " }}"],
  ["{{", "}}"],
  ["{{- ", " }}"],
  ["{{ ", " -}}"],
  ["{{- ", " -}}"],
  ["{{\n", "\n}}"],
);
const action = (inside: fc.Arbitrary<string>) =>
  fc.tuple(trims, inside).map(([[open, close], text]) => `${open}${text}${close}`);
const plain = fc.constantFrom("a", " ", "\n", " x \n", "é", "{", "}", "-", "  ");

function nodesAt(depth: number): fc.Arbitrary<string> {
  return fc.array(nodeAt(depth), { maxLength: depth > 1 ? 3 : 2 }).map((parts) => parts.join(""));
}

function nodeAt(depth: number): fc.Arbitrary<string> {
  const simple = fc.oneof({ arbitrary: action(pipelines()), weight: 5 }, { arbitrary: plain, weight: 2 });
  if (depth <= 0) return simple;
  const body = fc.constant(undefined).chain(() => nodesAt(depth - 1));
  const condition = fc.oneof({ arbitrary: chainable, weight: 2 }, callAt(1, undefined));
  const rangeable = fc.oneof(
    {
      arbitrary: fc.constantFrom(
        ".l",
        ".m",
        ".strs",
        ".strl",
        ".nest",
        ".empty",
        ".nul",
        ".nope",
        "3",
        "(until 3)",
        '(dict "b" 2 "a" 1)',
        ".s",
        ".f",
        "(int .f)",
        ".deep",
        "0",
        "(list)",
        "true",
        "'\\x03'",
        "(int64 2)",
        "nil",
        "2.0",
      ),
      weight: 4,
    },
    callAt(1, "l"),
    callAt(1, "m"),
  );
  return fc.oneof(
    { arbitrary: simple, weight: 5 },
    fc
      .tuple(
        fc.constantFrom("", "$x := ", "$y = "),
        condition,
        body,
        body,
        fc.constantFrom("else", "else if .yes", "else with .m", "else if .nope.x", "end"),
      )
      .map(([variable, test, first, second, middle]) =>
        middle === "end"
          ? `{{ if ${variable}${test} }}${first}{{ end }}`
          : `{{ if ${variable}${test} }}${first}{{ ${middle === "else with .m" ? "else" : middle} }}${second}{{ end }}`,
      ),
    fc
      .tuple(
        fc.constantFrom("", "$w := "),
        condition,
        body,
        body,
        fc.constantFrom("end", "else", "else with .m", "else with $w := .deep"),
      )
      .map(([variable, test, first, second, middle]) =>
        middle === "end"
          ? `{{ with ${variable}${test} }}${first}{{ end }}`
          : `{{ with ${variable}${test} }}${first}{{ ${middle} }}${second}{{ end }}`,
      ),
    fc
      .tuple(
        fc.constantFrom("", "$x := ", "$i, $x := ", "$i, $y := ", "$y = ", "$x, $y = "),
        rangeable,
        body,
        fc.constantFrom("", "{{ break }}", "{{ continue }}", "{{ if .yes }}{{ break }}{{ end }}", "{{ . }}"),
        body,
        fc.boolean(),
      )
      .map(
        ([variables, over, first, jump, second, otherwise]) =>
          `{{ range ${variables}${over} }}${first}${jump}${second}${otherwise ? "{{ else }}none" : ""}{{ end }}`,
      ),
    fc
      .tuple(body, fc.constantFrom(".", ".m", "$x", "nil", "1", ""))
      .map(([inside, data]) => `{{ block "b" ${data} }}${inside}{{ end }}`),
    fc
      .tuple(fc.constantFrom("t", "u", "base", "gone"), fc.constantFrom(" .", " .m", "", " $", " (list 1)"))
      .map(([name, data]) => `{{ template "${name}"${data} }}`),
    fc
      .tuple(fc.constantFrom("$x := ", "$x = ", "$z := ", "$y = "), pipelines())
      .map(([variable, value]) => `{{ ${variable}${value} }}`),
    fc.constantFrom("{{/* note */}}", "{{- /* note */ -}}", "{{/* two\nlines */}}"),
    body.map((inside) => `{{ define "t" }}${inside}{{ end }}`),
  );
}

const scalar = fc.oneof(
  word,
  fc.constantFrom(...floats),
  fc.boolean(),
  fc.constant(null),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
);
const tree = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "k", "é", "Z", "x y"), tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

const params = fc.record({
  s: word,
  t: word,
  f: fc.constantFrom(...floats),
  g: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()),
  big: fc.constantFrom(1e6, 1e21, 123456789012, -1e300, 2 ** 63, 2 ** 53 + 2),
  yes: fc.constant(true),
  no: fc.constant(false),
  nul: fc.constant(null),
  l: fc.array(tree, { maxLength: 4 }),
  nest: fc.constantFrom([[1, 2], ["a"]], [{ a: 1 }, { b: [null] }], [[], {}], [[["deep"]]]),
  empty: fc.constant([]),
  m: fc.tuple(word, tree, tree).map(([s, a, b]) => ({ s, a, b, m2: { k: "v" } })),
  deep: fc.constantFrom<object>({ a: { b: { c: 1 } } }, { a: { b: "x" }, k: [1] }, { a: {} }),
  strs: fc.dictionary(fc.constantFrom("k", "a", "b", "é", "x/y"), word, { maxKeys: 3, noNullPrototype: true }),
  strl: fc.array(word, { minLength: 1, maxLength: 3 }),
});

const options = fc.constantFrom<readonly string[]>(
  [],
  [],
  [],
  ["missingkey=default"],
  ["missingkey=zero"],
  ["missingkey=error"],
  ["missingkey=invalid"],
  ["missingkey=error", "missingkey=zero"],
);

/** Where a template may be hurt, so that the parser's refusals are compared too. */
function hurt(template: string, at: number, what: number): string {
  const place = at % (template.length + 1);
  const pieces = [
    "",
    "{{",
    "}}",
    '"',
    "`",
    "'",
    "(",
    ")",
    "|",
    ":=",
    "=",
    "$",
    ".",
    ",",
    " ",
    "{{ end }}",
    "{{ else }}",
    "{{ break }}",
    "\\",
    "/*",
    "-",
    "é",
    "1",
    "if",
    "\u0000",
  ];
  const piece = pieces[what % pieces.length] ?? "";
  const drop = what % 3;
  return (template.slice(0, place) + piece + template.slice(place + drop)).toWellFormed();
}

const body = fc.oneof(
  { arbitrary: action(pipelines()), weight: 6 },
  { arbitrary: nodesAt(2), weight: 3 },
  {
    arbitrary: fc.tuple(nodesAt(1), fc.nat(10_000), fc.nat(10_000)).map(([text, at, what]) => hurt(text, at, what)),
    weight: 1,
  },
);

/** Templates with parameters; `names` leaves only those functions at the outermost place. */
export const questions: fc.Arbitrary<Question> = fc.record({
  template: fc
    .tuple(fc.nat(4), body)
    .map(
      ([dice, text]) => (dice === 0 ? `{{ define "u" }}[{{ . }}]{{ end }}` : "") + `{{ $x := .m }}{{ $y := 1 }}${text}`,
    ),
  params,
  goTemplate: fc.constant(true),
  options,
  typed: fc.constant({ strs: "stringMap", strl: "stringList" } as const),
});

/** Texts of the old mode. */
export const fastQuestions: fc.Arbitrary<Question> = fc.record({
  template: fc
    .array(
      fc.oneof(
        fc.constantFrom("{{", "}}", "s", "{{s}}", "{{ t }}", "{{nope}}", "{{ f }}", " ", "\n", "{", "}", "é"),
        fc.string({ maxLength: 2 }),
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join("").toWellFormed()),
  params,
  goTemplate: fc.constant(false),
  options: fc.constant([]),
  typed: fc.constant({}),
});
