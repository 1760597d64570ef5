import { create } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Clock, Fault } from "@capstan/proto";
import { ListResultSchema } from "@capstan/proto/common";
import {
  type AuditEntry as AuditEntryMessage,
  AuditEntrySchema,
  type GetHubResponse,
  SystemService,
  type TokenView,
  TokenViewSchema,
} from "@capstan/proto/system";
import type { AuditEntry } from "../audit/model.ts";
import type { KeyStatus } from "../identity/keyring.ts";
import type { PersonToken } from "../identity/model.ts";
import type { Authorise } from "./authorise.ts";
import type { Calls } from "./call.ts";
import { page } from "./page.ts";
import type { PeopleView } from "./port.ts";
import { masked } from "./read-mask.ts";
import { type Implementation, type Served, serve } from "./service.ts";

/** What the system's service needs. */
export interface SystemServiceOptions {
  readonly calls: Calls;
  readonly authorise: Authorise;
  readonly clock: Clock;
  readonly people: PeopleView;
  hub(): Omit<GetHubResponse, "$typeName">;
  /** The newest entries, oldest first, and whether their hash chain holds. */
  audit(signal: AbortSignal): Promise<{ readonly entries: readonly AuditEntry[]; readonly intact: boolean }>;
  /** Signing keys and CAs, and how far each is. */
  keys(): readonly KeyStatus[];
  /** Returns the lanes that now move, as people name them. */
  endRebuild(signal: AbortSignal): Promise<readonly string[]>;
}

const tokenLife = 90 * 24 * 3_600_000;
const roles = ["admin", "viewer"];
/** Verbs that change nothing; all others do. */
const looking =
  /^(list|get|show|watch|status|describe|explain|why|render|diff|history|find|tree|logs|events|check|plan|simulate)$/;

/** `SystemService`. */
export function systemService(options: SystemServiceOptions): Served {
  return serve(SystemService, { ...selfCalls(options), ...tokenCalls(options), ...fleetCalls(options) });
}

type Methods = Implementation<typeof SystemService>;

function selfCalls(options: SystemServiceOptions): Pick<Methods, "getHub" | "whoAmI" | "canI"> {
  const { authorise } = options;
  return {
    async getHub(_request, context) {
      // Also a hub that stands by says so.
      authorise(context, { action: "hub.get", resource: "hub", project: "", mutates: false });
      return options.hub();
    },
    async whoAmI(_request, context) {
      const caller = authorise(context, { action: "self.get", resource: "self", project: "", mutates: false });
      const ends = caller.expiresAt === undefined ? {} : { expiresAt: timestampFromMs(caller.expiresAt) };
      return { name: caller.name, role: caller.roles.join(", "), ...ends };
    },
    async canI({ verb, noun }, context) {
      const asked = { action: `${noun}.${verb}`, resource: noun, project: "", mutates: !looking.test(verb) };
      authorise(context, { ...asked, mutates: false });
      try {
        const caller = authorise(context, asked);
        return { allowed: true, rule: `role ${caller.roles.join(", ")}` };
      } catch (thrown) {
        const fault = Fault.from(thrown);
        if (fault.code !== "not-allowed") throw fault;
        return { allowed: false, rule: fault.message };
      }
    },
  };
}

function tokenCalls(options: SystemServiceOptions): Pick<Methods, "createToken" | "listTokens" | "revokeToken"> {
  const { calls, clock, people } = options;
  return {
    async createToken({ name, role, ttl, change }, context) {
      const mutation = { action: "token.create", resource: `token/${name}`, change };
      return calls.change(context, mutation, async (_caller, signal) => {
        if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/.test(name)) {
          throw new Fault("bad-input", {
            message: `expected a name of letters, digits, ., _, @ and -, found ${JSON.stringify(name)}.`,
          });
        }
        if (!roles.includes(role)) {
          throw new Fault("bad-input", { message: `expected a role of ${roles.join(", ")}, found ${role || "none"}.` });
        }
        const life = ttl === undefined ? tokenLife : durationMs(ttl);
        if (life <= 0) throw new Fault("bad-input", { message: "expected a life of more than nothing." });
        const ends = { expiresAt: timestampFromMs(clock.now() + life) };
        if (change?.dryRun === true) return ends;
        const { text, stored } = await people.personToken({ name, roles: [role], ttl: life }, signal);
        return { id: stored.id, token: text, ...ends };
      });
    },
    async listTokens({ options: list }, context) {
      calls.look(context, "token.list", "token");
      const { items, nextPageToken, total } = page(people.people(), ({ name, id }) => ({ id: `${name} ${id}` }), list);
      const result = create(ListResultSchema, { nextPageToken, total, asOf: timestampFromMs(clock.now()) });
      return { tokens: masked(TokenViewSchema, items.map(tokenView), list), result };
    },
    async revokeToken({ id, change }, context) {
      return calls.change(
        context,
        { action: "token.revoke", resource: `token/${id}`, change },
        async (_who, signal) => {
          if (!people.people().some((token) => token.id === id)) {
            throw new Fault("not-found", { message: `no token has the id ${id}.`, next: "See: capstan token list" });
          }
          if (change?.dryRun !== true) await people.dropToken(id, signal);
          return {};
        },
      );
    },
  };
}

function fleetCalls(options: SystemServiceOptions): Pick<Methods, "listAudit" | "endRebuild" | "listKeys"> {
  const { calls, clock } = options;
  return {
    async listAudit({ options: list, actor }, context) {
      calls.look(context, "audit.list", "audit");
      const { entries, intact } = await options.audit(context.signal);
      const told = merged(entries).filter((entry) => actor === "" || entry.actor === actor);
      const { items, nextPageToken, total } = page(told, ({ sequence }) => ({ id: String(sequence) }), list, {
        orders: { at: ({ sequence }) => Number(sequence) },
        fallback: "-at",
      });
      const result = create(ListResultSchema, { nextPageToken, total, asOf: timestampFromMs(clock.now()) });
      return { entries: masked(AuditEntrySchema, items, list), result, chainIntact: intact };
    },
    async listKeys(_request, context) {
      calls.look(context, "key.list", "key");
      return { keys: options.keys().map(keyView) };
    },
    async endRebuild({ change }, context) {
      return calls.change(context, { action: "rebuild.end", resource: "fleet", change }, async (_who, signal) => {
        return { lanes: change?.dryRun === true ? [] : [...(await options.endRebuild(signal))] };
      });
    },
  };
}

/** How many clusters are named that do not trust a key yet. */
const missingNamed = 10;

function keyView({ announcedAt, dueAt, clusters, missing, ...key }: KeyStatus) {
  return {
    ...key,
    announcedAt: timestampFromMs(announcedAt),
    ...(dueAt === undefined ? {} : { dueAt: timestampFromMs(dueAt) }),
    clusters,
    trustedBy: clusters - missing.length,
    missing: missing.slice(0, missingNamed),
  };
}

function tokenView({ id, name, roles: own, madeAt, expiresAt }: PersonToken): TokenView {
  return create(TokenViewSchema, {
    id,
    name,
    role: own.join(", "),
    createdAt: timestampFromMs(madeAt),
    ...(expiresAt === undefined ? {} : { expiresAt: timestampFromMs(expiresAt) }),
  });
}

/** Intent and outcome of a call as one record; a call whose end is unknown keeps its intent. */
function merged(entries: readonly AuditEntry[]): AuditEntryMessage[] {
  const calls = new Map<string, AuditEntryMessage>();
  for (const { id, index, at, actor, action, resource, detail, epoch, phase } of entries) {
    const message = [detail["reason"], phase.kind === "failed" ? `${phase.message} (${phase.code})` : undefined];
    calls.set(
      id,
      create(AuditEntrySchema, {
        sequence: calls.get(id)?.sequence ?? index,
        at: timestampFromMs(at),
        actor,
        action,
        resource,
        outcome: phase.kind,
        message: message.filter((part) => part !== undefined && part !== "").join(": "),
        epoch,
        requestId: detail["requestId"] ?? "",
      }),
    );
  }
  return [...calls.values()];
}
