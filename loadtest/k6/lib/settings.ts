// What the scenarios read from the environment.

function word(name: string, otherwise: string): string {
  const value = __ENV[name] || otherwise;
  // They become part of a file's name.
  if (!/^[\w.-]+$/.test(value)) throw new Error(`${name}=${value}: letters, digits, dots and hyphens only`);
  return value;
}

function count(name: string, otherwise: number): number {
  const value = Number(__ENV[name] || otherwise);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name}=${__ENV[name]}: not a whole number above 0`);
  return value;
}

export const baseUrl = (__ENV.BASE_URL || "http://localhost:8080").replace(/\/+$/, "");
export const contender = word("CONTENDER", "ringpost");
export const mode = word("MODE", "single");
// Which pass over the contenders it is: no pass writes over another's files.
export const pass = count("PASS", 1);
export const resultsDir = (__ENV.RESULTS_DIR || "/results").replace(/\/+$/, "");

// The steps of `rate`: requests a second, and how long each lasts.
export const rates = (__ENV.RATES || "250,500,1000,2000,4000").split(",").map((text) => {
  const rate = Number(text);
  if (!Number.isSafeInteger(rate) || rate < 1) throw new Error(`RATES=${__ENV.RATES}: not rates like 250,500,1000`);
  return rate;
});
export const stepSeconds = count("STEP_SECONDS", 30);
export const warmUpSeconds = count("WARM_UP_SECONDS", 10);
