import { isObject, itemStep, same } from "./fields.ts";
import { ApiRefusal, badRequest } from "./status.ts";

type JsonObject = { [key: string]: unknown };

/** JSON merge patch (RFC 7386). With `lists`, keyed lists merge item by item, as a strategic merge patch does. */
export function mergePatch(target: unknown, patch: unknown, lists: boolean, name = ""): unknown {
  if (lists && Array.isArray(patch) && Array.isArray(target)) return mergeLists(target, patch, name);
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value, lists, key);
  }
  return result;
}

function mergeLists(target: readonly unknown[], patch: readonly unknown[], name: string): unknown[] {
  if (!patch.every((item) => itemStep(name, item) !== undefined)) return [...patch];
  const result = [...target];
  for (const item of patch) {
    const step = itemStep(name, item);
    const at = result.findIndex((other) => itemStep(name, other) === step);
    if (at < 0) result.push(item);
    else result[at] = mergePatch(result[at], item, true);
  }
  return result;
}

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

/** JSON patch (RFC 6902) with add, replace, remove and test. Throws 422 when an operation does not fit. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest("a JSON patch is a list of operations");
  const root = { document: structuredClone(target) };
  for (const operation of operations as Operation[]) applyOperation(root, operation);
  return root.document;
}

function applyOperation(root: { document: unknown }, operation: Operation): void {
  const steps = operation.path.split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = steps.length === 1 ? "document" : (steps.at(-1) ?? "");
  const parent = steps.length === 1 ? root : steps.slice(1, -1).reduce<unknown>(child, root.document);
  if (Array.isArray(parent)) onList(parent, last, operation);
  else if (isObject(parent)) onObject(parent, last, operation);
  else throw unfit(operation);
}

function child(at: unknown, step: string): unknown {
  if (Array.isArray(at)) return at[Number(step)];
  return isObject(at) ? at[step] : undefined;
}

function onList(list: unknown[], step: string, operation: Operation): void {
  const index = step === "-" ? list.length : Number(step);
  if (operation.op === "add") list.splice(index, 0, operation.value);
  else if (index >= list.length) throw unfit(operation);
  else if (operation.op === "remove") list.splice(index, 1);
  else if (operation.op === "replace") list[index] = operation.value;
  else if (operation.op !== "test" || !same(list[index], operation.value)) throw unfit(operation);
}

function onObject(object: JsonObject, key: string, operation: Operation): void {
  if (operation.op === "add") object[key] = operation.value;
  else if (!(key in object)) throw unfit(operation);
  else if (operation.op === "remove") delete object[key];
  else if (operation.op === "replace") object[key] = operation.value;
  else if (operation.op !== "test" || !same(object[key], operation.value)) throw unfit(operation);
}

function unfit(operation: Operation): ApiRefusal {
  return new ApiRefusal(422, "Invalid", `the patch does not fit: ${operation.op} ${operation.path}`);
}
