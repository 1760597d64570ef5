import type { MessageInitShape } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import type { ChangeSchema, ListOptionsSchema } from "@capstan/proto/common";
import { type Answer, parseOutput, printed } from "./answer.ts";
import { accessOf } from "./contexts.ts";
import { exit } from "./exit.ts";
import { type Look, widths } from "./look.ts";
import type { CliPorts, HubClient } from "./port.ts";

/** A flag's value as commander reads it. */
export type Given = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** One call of a verb: its words, its flags, and the world. */
export class Call {
  readonly ports: CliPorts;
  readonly signal: AbortSignal;
  /** All arguments after the verb's words. */
  readonly words: readonly string[];
  readonly #given: Given;
  #hub: HubClient | undefined;

  constructor(ports: CliPorts, words: readonly string[], given: Given, signal: AbortSignal) {
    this.ports = ports;
    this.words = words;
    this.#given = given;
    this.signal = signal;
  }

  /** The argument at that place; empty where it was not given. */
  word(at: number): string {
    return this.words[at] ?? "";
  }

  /** A flag's text, by its long name in camel case. */
  text(name: string): string | undefined {
    const value = this.#given[name];
    return typeof value === "string" ? value : undefined;
  }

  /** A flag's text that must be there. Throws `bad-input`. */
  needed(name: string, what: string): string {
    const text = this.text(name);
    if (text !== undefined && text !== "") return text;
    throw new Fault("bad-input", { message: `expected ${what}, found none.`, next: "See --help." });
  }

  list(name: string): readonly string[] {
    const value = this.#given[name];
    return Array.isArray(value) ? value : [];
  }

  flag(name: string): boolean {
    return this.#given[name] === true;
  }

  /** Whether `--no-NAME` was given. */
  refused(name: string): boolean {
    return this.#given[name] === false;
  }

  /** `-c` where one cluster is meant; empty without it. */
  get cluster(): string {
    return this.text("cluster") ?? "";
  }

  /** The hub of the context in force. Throws `not-signed-in` where there is none. */
  async hub(): Promise<HubClient> {
    this.#hub ??= this.ports.connect(await accessOf(this.ports));
    return this.#hub;
  }

  close(): void {
    this.#hub?.close();
  }

  /** What a mutating call carries. */
  change(etag = ""): MessageInitShape<typeof ChangeSchema> {
    const { newId } = this.ports;
    return { requestId: newId(), etag, dryRun: this.flag("dryRun"), reason: this.text("reason") ?? "" };
  }

  /** What a list or a watch is narrowed by. */
  get narrowed(): { selector: string; clusters: string[]; project: string; namespace: string } {
    return {
      selector: this.text("selector") ?? "",
      clusters: [...(this.cluster === "" ? this.list("cluster") : [this.cluster])],
      project: this.text("project") ?? "",
      namespace: this.text("namespace") ?? "",
    };
  }

  /** How a page of a list is asked for. */
  options(page: { readonly pageToken: string }): MessageInitShape<typeof ListOptionsSchema> {
    return { ...this.narrowed, ...page };
  }

  get look(): Look {
    const { screen, clock, utcOffset } = this.ports;
    const now = clock.now();
    const width = screen.outputIsTerminal ? Math.max(widths.least, screen.width) : widths.usual;
    return { now, width, wide: false, utcOffset: utcOffset(now), colours: screen.colours };
  }

  /** Prints an answer in the output that was asked for. */
  show(answer: Answer): number {
    this.ports.screen.out(printed(answer, parseOutput(this.text("output")), this.look));
    return exit.done;
  }

  /** Lines for people; left out where a program reads the output. */
  say(...lines: readonly string[]): void {
    if (!this.forProgram) this.ports.screen.out(lines.map((line) => `${line}\n`).join(""));
  }

  /** Whether a program reads the output: `-o json`, `yaml` or `name`. */
  get forProgram(): boolean {
    return ["json", "yaml", "name"].includes(parseOutput(this.text("output")));
  }

  /**
   * Shows what would happen and asks; `-y` answers. Throws `bad-input` where nobody can be asked, `cancelled` when the
   * answer is no.
   */
  async confirm(what: readonly string[], question: string): Promise<void> {
    if (this.flag("dryRun")) return;
    const { screen } = this.ports;
    if (this.flag("yes")) return;
    for (const line of what) screen.err(`${line}\n`);
    if (!screen.interactive) {
      throw new Fault("bad-input", {
        message: "this asks first, and there is no terminal to ask on.",
        next: "Say -y.",
      });
    }
    if (await screen.ask(`${question} [y/N] `)) return;
    throw new Fault("cancelled", { message: "nothing was changed." });
  }
}

/** All pages of a list, one after the other. */
export async function allPages<P extends { readonly result?: { readonly nextPageToken: string } | undefined }>(
  ask: (pageToken: string) => Promise<P>,
): Promise<readonly [P, ...P[]]> {
  const first = await ask("");
  const pages: [P, ...P[]] = [first];
  for (let page = first; (page.result?.nextPageToken ?? "") !== ""; ) {
    page = await ask(page.result?.nextPageToken ?? "");
    pages.push(page);
  }
  return pages;
}
