import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Fault } from "@capstan/proto";
import type { LogsQuestion } from "@capstan/proto/agent";
import { type ApplicationService, type RepositoryView, RepositoryViewSchema } from "@capstan/proto/application";
import { ListResultSchema } from "@capstan/proto/common";
import { parseRepository } from "../sources/repository.ts";
import { expectClusters } from "./clusters-asked.ts";
import { ambiguous, targetsMeant } from "./names.ts";
import { page } from "./page.ts";
import type { PeopleCalls } from "./people-calls.ts";
import type { World } from "./port.ts";
import { masked } from "./read-mask.ts";
import type { Implementation } from "./service.ts";
import { placeText } from "./target-views.ts";
import { faultDetail } from "./views.ts";
import { within } from "./within.ts";

type Methods = Pick<
  Implementation<typeof ApplicationService>,
  "listRepositories" | "checkRepository" | "listRoots" | "askAgent"
>;

/** How long a check of a repository may take, in milliseconds. */
const checkTime = 60_000;

/** The calls about what the hub reads, and about what agents see. */
export function sourceCalls({ calls, world, sight }: PeopleCalls): Methods {
  return {
    async listRepositories({ options }, context) {
      calls.look(context, "repository.list", "repository");
      expectClusters(options?.clusters, { clusters: world.clusters, rows: sight.now().rows });
      const { items, nextPageToken, total } = page(repositories(world), ({ url }) => ({ id: url }), options);
      const result = create(ListResultSchema, { nextPageToken, total, asOf: timestampFromMs(world.clock.now()) });
      return { repositories: masked(RepositoryViewSchema, items, options), result };
    },
    async checkRepository({ url, revision }, context) {
      calls.look(context, "repository.check", "repository");
      try {
        return { commit: await checked(url, revision || "HEAD", world, context.signal) };
      } catch (thrown) {
        context.signal.throwIfAborted();
        return { fault: faultDetail(Fault.from(thrown)) };
      }
    },
    async listRoots(_request, context) {
      calls.look(context, "root.list", "root");
      const roots = world.documents.roots().map(({ root, commit, documents, faults }) => {
        const source = world.repositories.faultOf(root.repoURL, root.revision);
        const all = source === undefined || faults.includes(source) ? faults : [source, ...faults];
        return {
          name: root.name,
          repository: parseRepository(root.repoURL).url,
          revision: root.revision,
          path: root.path,
          commit,
          documents,
          faults: all.map((fault) => faultDetail(fault)),
        };
      });
      return { roots };
    },
    async *askAgent({ name, cluster, question }, context) {
      const ask = question?.ask ?? { case: undefined };
      calls.look(context, ask.case === "logs" ? "target.logs" : "target.ask", `target/${name}`);
      if (ask.case === undefined || ask.case === "stop") {
        throw new Fault("bad-input", { message: `expected a question, found ${ask.case ?? "none"}.` });
      }
      if (ask.case === "liveDiff" && ask.value.bundle !== undefined) {
        throw new Fault("unsupported", { message: "an agent compares with the bundle that it holds; found another." });
      }
      const rows = targetsMeant(name, cluster, sight.now()).filter((row) => row.cluster !== "");
      const [row] = rows;
      if (row === undefined || rows.length > 1) throw ambiguous(name, "targets", rows.map(placeText));
      if (ask.case === "logs") {
        const detail = { cluster: row.cluster, ...logsDetail(ask.value) };
        await calls.reveal(context, { action: "target.logs", resource: `target/${row.key}`, detail });
      }
      for await (const answer of world.agents.ask(row.cluster, { target: row.key, ask }, context.signal))
        yield { answer };
    },
  };
}

/** What the audit tells of a look at logs. */
function logsDetail({ pod, container, previous, follow }: LogsQuestion): Record<string, string> {
  return {
    ...(pod === "" ? {} : { pod }),
    ...(container === "" ? {} : { container }),
    ...(previous ? { previous: "true" } : {}),
    ...(follow ? { follow: "true" } : {}),
  };
}

async function checked(url: string, revision: string, world: World, signal: AbortSignal): Promise<string> {
  const stop = world.repositories.watch(url, revision);
  try {
    await within(world.clock, { ms: checkTime, signal }, (bound) => world.repositories.settle(url, bound));
    const fault = world.repositories.faultOf(url, revision);
    if (fault !== undefined) throw fault;
    const state = world.repositories.current(url, revision);
    if (state !== undefined) return state.commit;
    throw new Fault("timeout", {
      message: `${parseRepository(url).url} did not answer within ${checkTime / 1000} s.`,
      where: { repository: parseRepository(url).url, revision },
      next: "Look at the way from the hub to it.",
    });
  } finally {
    stop();
  }
}

/** Repositories that sets, Applications and roots read, each once. */
function repositories(world: World): RepositoryView[] {
  const used = new Set<string>();
  for (const { repositories: read } of world.releases.states()) for (const each of read) used.add(each);
  for (const { root } of world.documents.roots()) used.add(`${root.repoURL} ${root.revision}`);
  const views = new Map<string, RepositoryView>();
  for (const each of [...used].sort()) {
    const space = each.indexOf(" ");
    const [url, revision] = [each.slice(0, space), each.slice(space + 1)];
    take(views, { url, revision }, world);
  }
  return [...views.values()];
}

function take(
  views: Map<string, RepositoryView>,
  { url, revision }: { readonly url: string; readonly revision: string },
  { repositories: sources }: World,
): void {
  try {
    const repository = parseRepository(url);
    const view = views.get(repository.key) ?? create(RepositoryViewSchema, { url: repository.url });
    views.set(repository.key, view);
    const state = sources.current(url, revision);
    if (state !== undefined) {
      view.refs[revision] = state.commit;
      view.fetchedAt = timestampFromMs(state.asOf);
    }
    const fault = sources.faultOf(url, revision);
    if (fault !== undefined) view.fault ??= faultDetail(fault);
  } catch (thrown) {
    // A URL that cannot be read may hold a password: it is told without itself.
    const fault = faultDetail(Fault.from(thrown));
    views.set(`${url} unreadable`, create(RepositoryViewSchema, { url: "(unreadable)", fault }));
  }
}
