export {
  conditionOf,
  conditionsOf,
  conditionText,
  type Fields,
  isMap,
  mapAt,
  mapsAt,
  numberAt,
  textAt,
  verdict,
} from "./fields.ts";
export {
  type GroupKind,
  groupKindOf,
  type Health,
  type HealthStatus,
  healthOrder,
  type Manifest,
} from "./model.ts";
export { isPlainKind, readHealth } from "./read.ts";
export { isBehind } from "./rule.ts";
