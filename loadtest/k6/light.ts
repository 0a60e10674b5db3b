// 10 virtual users for half a minute, each asking for one user about ten times a second.
import type { Options } from "k6/options";
import { common, correctness, latency, summaryOf } from "./lib/summary.ts";
import { askForUser, type Sample, seed, think } from "./lib/users.ts";

export { setup } from "./lib/users.ts";

export const options: Options = {
  ...common,
  scenarios: { light: { executor: "constant-vus", vus: 10, duration: "30s" } },
  thresholds: { ...correctness, ...latency("endpoint:user", "p(95)<20", "p(99)<50") },
};

export default function (sample: Sample): void {
  seed();
  askForUser(sample);
  think();
}

export const handleSummary = summaryOf("light");
