// Fixed rates one after another, whatever the answers take: a request that is due and finds no virtual user free is
// counted as dropped. Each step's figures stand under its own tag.
import type { Options, Scenario } from "k6/options";
import { rates, stepSeconds } from "./lib/settings.ts";
import { common, correctness, latency, summaryOf } from "./lib/summary.ts";
import { askForUser, type Sample, seed } from "./lib/users.ts";

export { setup } from "./lib/users.ts";

const PAUSE_SECONDS = 5;
const OBJECTIVE = "p(99)<10";

const names = rates.map((rate) => `rate_${rate}`);

function step(rate: number, i: number): Scenario {
  return {
    executor: "constant-arrival-rate",
    rate,
    timeUnit: "1s",
    duration: `${stepSeconds}s`,
    startTime: `${i * (stepSeconds + PAUSE_SECONDS)}s`,
    gracefulStop: `${PAUSE_SECONDS}s`,
    // Enough for answers of 50 ms at once, of half a second when it comes to that.
    preAllocatedVUs: Math.ceil(rate * 0.05) + 10,
    maxVUs: Math.ceil(rate * 0.5) + 10,
  };
}

export const options: Options = {
  ...common,
  scenarios: Object.fromEntries(rates.map((rate, i) => [`rate_${rate}`, step(rate, i)])),
  thresholds: {
    ...correctness,
    ...Object.assign({}, ...names.map((name) => latency(`scenario:${name}`, OBJECTIVE))),
    ...Object.fromEntries(names.map((name) => [`dropped_iterations{scenario:${name}}`, ["count==0"]])),
  },
};

export default function (sample: Sample): void {
  seed();
  askForUser(sample);
}

export const handleSummary = summaryOf("rate");
