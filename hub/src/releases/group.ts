import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Digest, TargetKey } from "@capstan/proto";
import { DesiredTargetSchema, ReleaseSchema } from "@capstan/proto/desired";
import { type Cause, type Hash, laneKey, type ReleaseTarget, type Strategy } from "../rollout/model.ts";
import { releaseId } from "../rollout/plan.ts";
import type { TargetContent } from "../targets/content.ts";
import type { Target } from "../targets/model.ts";
import { prunesOnRemoval } from "../targets/policy.ts";
import type { WantedLane } from "./model.ts";

/** One target with the content it should have. */
export interface Filled {
  readonly target: Target;
  readonly lane: string;
  readonly content: TargetContent;
}

/** What stays in a lane though it could not be made anew: it keeps what it holds. */
export interface Kept {
  readonly lane: string;
  readonly release: ReleaseTarget;
  readonly content: TargetContent | undefined;
}

/** What lanes are made of. */
export interface GroupInput {
  /** `namespace/name` of the set or the standalone Application. */
  readonly owner: string;
  readonly filled: readonly Filled[];
  readonly kept: readonly Kept[];
  /** Lanes that have nothing any more but still stand somewhere. */
  readonly emptied: readonly string[];
  readonly strategy: Strategy;
  cause(lane: string): Cause & { readonly committedAt: number };
  readonly hash: Hash;
}

/** One wanted lane for each lane name, ordered by name. Pure. */
export function groupLanes(input: GroupInput): WantedLane[] {
  const names = new Set([
    ...input.filled.map(({ lane }) => lane),
    ...input.kept.map(({ lane }) => lane),
    ...input.emptied,
  ]);
  return [...names].sort().map((name) => wantedLane(name, input));
}

function wantedLane(name: string, input: GroupInput): WantedLane {
  const key = laneKey(input.owner, name);
  const filled = input.filled.filter(({ lane }) => lane === name);
  const kept = input.kept.filter(({ lane }) => lane === name);
  const targets: ReleaseTarget[] = [
    ...filled.map(({ target, content }) => ({
      target: target.key,
      cluster: target.cluster,
      content: content.digest,
      labels: target.application.metadata.labels,
    })),
    ...kept.map(({ release }) => release),
  ];
  const id = releaseId(key, targets, input.hash);
  const cause = input.cause(name);
  const contents = new Map<Digest, TargetContent>();
  for (const { content } of filled) contents.set(content.digest, named(content, id, cause));
  for (const { content } of kept) if (content !== undefined) contents.set(content.digest, content);
  return {
    key,
    owner: input.owner,
    name,
    release: { id, lane: key, cause, targets },
    contents,
    strategy: input.strategy,
    automated: filled.length === 0 || filled.every(({ content }) => content.target.policy?.automated === true),
    prunesOnRemoval: new Map<TargetKey, boolean>(
      filled.map(({ target }) => [target.key, prunesOnRemoval(target.application)] as const),
    ),
    clusters: [...new Set(targets.map(({ cluster }) => cluster))],
  };
}

/** The content, saying which release it belongs to. */
function named(content: TargetContent, id: Digest, cause: Cause & { readonly committedAt: number }): TargetContent {
  const target = create(DesiredTargetSchema, {
    ...content.target,
    release: create(ReleaseSchema, {
      id,
      source: cause.repository,
      commit: cause.commit,
      author: cause.author,
      subject: cause.subject,
      ...(cause.committedAt === 0 ? {} : { committedAt: timestampFromMs(cause.committedAt) }),
    }),
  });
  return { ...content, target };
}
