import { Fault } from "@capstan/proto";
import type { DocumentRegistry } from "./registry.ts";

/** Applications that make Applications that make Applications: beyond this they surely make each other without end. */
const maxDepth = 8;

/** Throws `too-large` where the Application (`namespace/name`) stands at the end of too long a chain of Applications. */
export function assertShallow(registry: DocumentRegistry, application: string): void {
  let at = application;
  for (let depth = 0; depth < maxDepth; depth += 1) {
    const owner = registry.get(`Application/${at}`)?.origin.owner ?? "";
    if (!owner.startsWith("app:")) return;
    at = owner.slice("app:".length);
  }
  throw new Fault("too-large", {
    message: `Application ${application} is made by a chain of more than ${maxDepth} Applications; its documents are not taken.`,
    where: { target: application },
    next: "Look whether an Application makes itself under ever new names.",
  });
}
