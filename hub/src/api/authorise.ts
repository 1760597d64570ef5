import { Fault } from "@capstan/proto";
import type { PersonToken } from "../identity/model.ts";
import type { CallContext } from "./service.ts";

/** What a call is about, for the one authorisation hook. */
export interface Asked {
  /** `noun.verb`, for example `cluster.add`. */
  readonly action: string;
  /** For example `cluster/eu-1`. */
  readonly resource: string;
  /** AppProject of the resource; empty: of the fleet. */
  readonly project: string;
  /** Whether it changes something. */
  readonly mutates: boolean;
}

/** Who calls, once the token was checked. */
export interface Caller {
  readonly name: string;
  readonly roles: readonly string[];
  /** When the token ends; undefined: never. */
  readonly expiresAt?: number | undefined;
}

/** The hook that every call and every watch passes. Throws `not-signed-in` or `not-allowed`, naming the rule. */
export type Authorise = (context: CallContext, asked: Asked) => Caller;

/** What shows more than states do: pod logs may hold anything (promise 10). */
const revealing: ReadonlySet<string> = new Set(["target.logs"]);

/** Roles today: `admin` may all, `viewer` may look, but not at pod logs. */
export function authoriser(person: (token: string) => PersonToken): Authorise {
  return ({ token }, asked) => {
    if (token === undefined) {
      throw new Fault("not-signed-in", {
        message: "expected a token, found none.",
        next: "Sign in with: capstan login",
      });
    }
    const { name, roles, expiresAt } = person(token);
    const may = roles.includes("admin") || (roles.includes("viewer") && !asked.mutates && !revealing.has(asked.action));
    if (may) return { name, roles, expiresAt };
    throw new Fault("not-allowed", {
      message: `${name} may not ${asked.action} ${asked.resource}: role ${roles.join(", ") || "none"} only looks at states.`,
      next: "Ask an admin for a token with role admin.",
    });
  };
}
