import process from "node:process";

/** Runs `act`, and says on stderr what it does if that takes more than a second (and when it is done). */
export async function sayIfSlow<T>(what: string, act: () => Promise<T>): Promise<T> {
  const start = performance.now();
  let said = false;
  const timer = setTimeout(() => {
    said = true;
    process.stderr.write(`capstan tools: ${what} ...\n`);
  }, 1_000);
  try {
    return await act();
  } finally {
    clearTimeout(timer);
    if (said) process.stderr.write(`capstan tools: ${what}: ${((performance.now() - start) / 1_000).toFixed(0)} s\n`);
  }
}
