import type { Application } from "../documents/model.ts";
import type { Cause } from "../rollout/model.ts";
import { locationOf } from "../sources/repository.ts";
import { laneSource } from "../targets/lanes.ts";
import type { SourceView } from "./port.ts";

/** What made a release, and when: the commit of its lane's source as it is now, else that its owner changed. */
export function causeOf(
  owner: string,
  application: Application | undefined,
  sources: SourceView,
): Cause & { readonly committedAt: number } {
  const source = application === undefined ? undefined : laneSource(application);
  const state = source === undefined ? undefined : sources.current(locationOf(source), source.targetRevision ?? "HEAD");
  if (source === undefined || state === undefined) {
    return { commit: "", author: "", subject: `${owner} changed`, repository: "", committedAt: 0 };
  }
  const { commit, author, subject, committedAt } = state.info;
  return { commit, author, subject, repository: source.repoURL, committedAt };
}
