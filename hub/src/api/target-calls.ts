import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Fault, parseTargetKey } from "@capstan/proto";
import { Health } from "@capstan/proto/agent";
import { type ApplicationService, SetViewSchema, TargetViewSchema } from "@capstan/proto/application";
import { ListResultSchema } from "@capstan/proto/common";
import { expectClusters, expectWatched } from "./clusters-asked.ts";
import { ambiguous, ownersNamed, targetsMeant } from "./names.ts";
import { page } from "./page.ts";
import type { PeopleCalls } from "./people-calls.ts";
import { masked } from "./read-mask.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";
import type { Implementation } from "./service.ts";
import { setView } from "./set-views.ts";
import { healthAt, targetListable, targetOrders, targetView } from "./target-views.ts";
import { watch } from "./watch.ts";

type Methods = Pick<
  Implementation<typeof ApplicationService>,
  "listSets" | "getSet" | "listTargets" | "getTarget" | "watchTargets"
>;

/** The calls that look at sets and targets. */
export function targetCalls({ calls, world, sight }: PeopleCalls): Methods {
  const asOf = () => timestampFromMs(world.clock.now());
  return {
    async listSets({ options }, context) {
      calls.look(context, "set.list", "set");
      const seen = sight.now();
      expectClusters(options?.clusters, { clusters: world.clusters, rows: seen.rows });
      const { items, nextPageToken, total } = page(seen.owners(), (owner) => setListable(owner, seen), options);
      const sets = items.map((owner) => setView(owner, seen));
      const result = create(ListResultSchema, { nextPageToken, total, asOf: asOf() });
      return { sets: masked(SetViewSchema, sets, options), result };
    },
    async getSet({ namespace, name }, context) {
      calls.look(context, "set.get", `set/${namespace}/${name}`);
      const seen = sight.now();
      return { set: setView(oneOwner(namespace, name, seen), seen) };
    },
    async listTargets({ options, set, lane, health }, context) {
      calls.look(context, "target.list", "target");
      const seen = sight.now();
      expectClusters(options?.clusters, { clusters: world.clusters, rows: seen.rows });
      const wanted = seen.rows.filter((row) => wants(row, { set, lane, health }, seen));
      const { items, nextPageToken, total } = page(wanted, targetListable, options, { orders: targetOrders(seen) });
      const targets = items.map((row) => targetView(row, seen));
      const result = create(ListResultSchema, { nextPageToken, total, asOf: asOf() });
      return { targets: masked(TargetViewSchema, targets, options), result };
    },
    async getTarget({ name, cluster }, context) {
      calls.look(context, "target.get", `target/${name}`);
      const seen = sight.now();
      return { targets: targetsMeant(name, cluster, seen).map((row) => targetView(row, seen)) };
    },
    async *watchTargets({ options }, context) {
      calls.look(context, "target.watch", "target");
      expectWatched(options, { clusters: world.clusters, rows: sight.now().rows });
      const list = () => {
        const seen = sight.now();
        return seen.rows.map((row) => ({ row, view: targetView(row, seen) }));
      };
      const listable = ({ row }: { readonly row: Row }) => targetListable(row);
      for await (const { type, item, id, token } of watch(world.changes, list, listable, options, context.signal)) {
        const target = item?.view ?? (id === undefined ? undefined : identity(id));
        yield { type, token, ...(target === undefined ? {} : { target }) };
      }
    },
  };
}

/** What a target that is gone is known by. */
function identity(id: string) {
  const [key = "", cluster = ""] = id.split(" ");
  return { ...parseTargetKey(key), cluster };
}

function wants(
  row: Row,
  { set, lane, health }: { readonly set: string; readonly lane: string; readonly health: Health },
  seen: Seen,
): boolean {
  const ofSet = set === "" || row.owner === set || parseTargetKey(row.owner).name === set;
  const ofLane = lane === "" || row.lane === lane || row.laneKey === lane || seen.text(row.laneKey) === lane;
  return ofSet && ofLane && (health === Health.UNSPECIFIED || healthAt(row, seen) === health);
}

function setListable(owner: string, { world }: Seen) {
  const { namespace } = parseTargetKey(owner);
  const document =
    world.documents.registry.get(`ApplicationSet/${owner}`) ?? world.documents.registry.get(`Application/${owner}`);
  return { id: owner, namespace, labels: document?.metadata.labels ?? {} };
}

/** The set or standalone Application that is meant, as `namespace/name`. Throws `not-found`, or `bad-input` with all it may be. */
function oneOwner(namespace: string, name: string, seen: Seen): string {
  const found = ownersNamed(namespace, name, seen.owners());
  const [only] = found;
  if (only === undefined) {
    throw new Fault("not-found", {
      message: `no set and no Application is called ${namespace === "" ? name : `${namespace}/${name}`}.`,
      next: "See: capstan get sets",
    });
  }
  if (found.length > 1) throw ambiguous(name, "sets", found);
  return only;
}
