import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { Fault } from "@capstan/proto";
import type { GitObject } from "./backend.ts";

interface Asked {
  readonly maxBytes: number;
  resolve(object: GitObject | undefined): void;
  reject(fault: Fault): void;
}

interface Receiving {
  readonly asked: Asked;
  readonly object: Omit<GitObject, "bytes">;
  /** Bytes of content still to come, and then one newline. */
  left: number;
  readonly parts: Buffer[] | undefined;
}

/**
 * One `git cat-file --batch`, kept open: answers come in the order of the questions, many under way at once.
 * When the process dies, what was asked is rejected and the next question is for a new one.
 */
export class CatFile {
  readonly #child: ChildProcessWithoutNullStreams;
  // In the order of asking, from `#first` on: taking the first of a long list would move all others.
  #asked: Asked[] = [];
  #first = 0;
  #receiving: Receiving | undefined;
  #header: Buffer[] = [];
  #ended = false;
  #lines = "";

  constructor(git: string, directory: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn(git, ["--git-dir", directory, "cat-file", "--batch"], { env, cwd: directory });
    this.#child.stdout.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#child.stderr.resume();
    this.#child.stdin.on("error", () => undefined);
    this.#child.on("error", (cause) => this.#end(cause));
    this.#child.on("close", () => this.#end());
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Questions not answered yet. */
  get pending(): number {
    return this.#asked.length - this.#first + (this.#receiving === undefined ? 0 : 1);
  }

  /** The object of a name (no line breaks in it), or undefined where it is missing or ambiguous. */
  ask(name: string, maxBytes: number): Promise<GitObject | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(new Fault("internal", { message: "git cat-file has ended.", retryable: true }));
        return;
      }
      this.#asked.push({ maxBytes, resolve, reject });
      this.#write(name);
    });
  }

  /** Ends the process; it does so by itself when its input ends. */
  close(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#child.once("close", () => resolve());
      this.#child.stdin.end();
    });
  }

  /** Questions of one turn go in one write. */
  #write(name: string): void {
    if (this.#lines === "") queueMicrotask(() => this.#flush());
    this.#lines += `${name}\n`;
  }

  #flush(): void {
    const lines = this.#lines;
    this.#lines = "";
    if (!this.#ended) this.#child.stdin.write(lines);
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#receiving === undefined ? this.#takeHeader(rest) : this.#takeContent(this.#receiving, rest);
    }
  }

  #takeHeader(chunk: Buffer): Buffer {
    const end = chunk.indexOf(10);
    if (end < 0) {
      this.#header.push(chunk);
      return chunk.subarray(chunk.length);
    }
    const line = Buffer.concat([...this.#header, chunk.subarray(0, end)]).toString("latin1");
    this.#header = [];
    const asked = this.#shift();
    const found = /^([0-9a-f]{40,64}) (blob|tree|commit|tag) (\d+)$/.exec(line);
    if (asked === undefined) this.#child.kill("SIGKILL");
    else if (found === null) asked.resolve(undefined);
    else this.#receiving = receiving(asked, found);
    return chunk.subarray(end + 1);
  }

  #shift(): Asked | undefined {
    const asked = this.#asked[this.#first];
    if (asked !== undefined) this.#first += 1;
    if (this.#first === this.#asked.length) {
      this.#asked = [];
      this.#first = 0;
    }
    return asked;
  }

  #takeContent(receiving: Receiving, chunk: Buffer): Buffer {
    const taken = chunk.subarray(0, receiving.left);
    if (taken.length > 0) receiving.parts?.push(taken);
    receiving.left -= taken.length;
    if (receiving.left > 0 || taken.length === chunk.length) return chunk.subarray(taken.length);
    // The newline that ends the content.
    this.#receiving = undefined;
    const { asked, object, parts } = receiving;
    asked.resolve({ ...object, bytes: parts === undefined ? undefined : Buffer.concat(parts) });
    return chunk.subarray(taken.length + 1);
  }

  #end(cause?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const waiting = [
      ...(this.#receiving === undefined ? [] : [this.#receiving.asked]),
      ...this.#asked.slice(this.#first),
    ];
    this.#asked = [];
    this.#first = 0;
    for (const asked of waiting) {
      asked.reject(
        new Fault("internal", { message: "git cat-file ended before it answered.", retryable: true, cause }),
      );
    }
  }
}

function receiving(asked: Asked, found: RegExpExecArray): Receiving {
  const size = Number(found[3]);
  const object = { oid: found[1] ?? "", type: found[2] as GitObject["type"], size };
  return { asked, object, left: size, parts: size > asked.maxBytes ? undefined : [] };
}
