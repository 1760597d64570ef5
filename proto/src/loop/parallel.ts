/** Runs `each` over the items, at most `limit` at once, and gives the results in the items' order. Rejects with the first fault, after all under way have ended. */
export async function parallel<T, R>(items: readonly T[], limit: number, each: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await each(items[index] as T);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  const failed = workers.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results;
}
