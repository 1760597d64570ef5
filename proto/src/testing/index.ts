export { FakeClock } from "./fake-clock.ts";
export { generous } from "./patience.ts";
export { seededChance } from "./seeded-chance.ts";
