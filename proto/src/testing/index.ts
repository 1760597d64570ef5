export { FakeClock } from "./fake-clock.ts";
export { seededChance } from "./seeded-chance.ts";
