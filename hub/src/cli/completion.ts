import { Fault } from "@capstan/proto";
import type { Verb } from "./verb.ts";

/** What may follow a row of words: the next words, and the verb's flags where the row is a whole verb. */
interface Follow {
  readonly words: readonly string[];
  readonly flags: readonly string[];
}

/** A completion script of words and flags. Throws `bad-input` for another shell. */
export function completionScript(shell: string, verbs: readonly Verb[]): string {
  const follows = followsOf(verbs);
  switch (shell) {
    case "bash":
      return bash(follows);
    case "zsh":
      return `#compdef capstan\nautoload -U +X bashcompinit && bashcompinit\n${bash(follows)}`;
    case "fish":
      return fish(follows);
    default:
      throw new Fault("bad-input", {
        message: `expected bash, zsh or fish, found ${JSON.stringify(shell)}.`,
        next: "See capstan completion --help.",
      });
  }
}

function followsOf(verbs: readonly Verb[]): ReadonlyMap<string, Follow> {
  const follows = new Map<string, { words: Set<string>; flags: string[] }>();
  const at = (row: string) => {
    const known = follows.get(row) ?? { words: new Set<string>(), flags: [] };
    follows.set(row, known);
    return known;
  };
  for (const verb of verbs) {
    const words = verb.words.split(" ");
    for (const [depth, word] of words.entries()) at(words.slice(0, depth).join(" ")).words.add(word);
    at(verb.words).flags.push(...(verb.flags ?? []).flatMap(({ flags }) => /--[a-z-]+/.exec(flags) ?? []), "--help");
  }
  return new Map([...follows].map(([row, { words, flags }]) => [row, { words: [...words], flags }]));
}

function bash(follows: ReadonlyMap<string, Follow>): string {
  const cases = [...follows].map(
    ([row, { words, flags }]) =>
      `    ${JSON.stringify(row)}) next=${JSON.stringify([...words, ...flags].join(" "))} ;;`,
  );
  return [
    "_capstan() {",
    '  local cur="$' + '{COMP_WORDS[COMP_CWORD]}" row="" word next=""',
    // The longest row of words that is known decides.
    '  for word in "$' + '{COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    case "$word" in -*) continue ;; esac',
    '    case " $_capstan_rows " in *" $' + '{row:+$row.}$word "*) row="$' + '{row:+$row.}$word" ;; esac',
    "  done",
    '  case "$' + '{row//./ }" in',
    ...cases,
    "  esac",
    '  COMPREPLY=($(compgen -W "$next" -- "$cur"))',
    "  [ $" + '{#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))',
    "}",
    `_capstan_rows=${JSON.stringify([...follows.keys()].map((row) => row.replaceAll(" ", ".")).join(" "))}`,
    "complete -F _capstan capstan",
    "",
  ].join("\n");
}

function fish(follows: ReadonlyMap<string, Follow>): string {
  const lines = [...follows].flatMap(([row, { words, flags }]) => {
    const seen = row.split(" ").filter((word) => word !== "");
    const given = seen.map((word) => `__fish_seen_subcommand_from ${word}`);
    const open = words.length > 0 ? [`not __fish_seen_subcommand_from ${words.join(" ")}`] : [];
    const when = [...given, ...open].join("; and ") || "true";
    return [
      ...(words.length === 0 ? [] : [`complete -c capstan -f -n '${when}' -a '${words.join(" ")}'`]),
      ...flags.map((flag) => `complete -c capstan -n '${given.join("; and ")}' -l ${flag.slice(2)}`),
    ];
  });
  return `${lines.join("\n")}\n`;
}
