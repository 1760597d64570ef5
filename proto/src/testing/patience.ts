/**
 * A bound of a test, made longer by the factor in CAPSTAN_PATIENCE (at least 1; 1 where unset or not a number). A bound
 * only says where a test gives up, so a slow machine may have more of it; with a factor of 1 the bounds are the promises.
 * Milliseconds in, milliseconds out.
 */
export function generous(bound: number): number {
  const factor = Number(process.env["CAPSTAN_PATIENCE"] ?? 1);
  return factor > 1 ? bound * factor : bound;
}
