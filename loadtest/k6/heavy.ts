// 100 virtual users for two minutes, each asking for one user about ten times a second.
import type { Options } from "k6/options";
import { common, correctness, latency, summaryOf } from "./lib/summary.ts";
import { askForUser, type Sample, seed, think } from "./lib/users.ts";

export { setup } from "./lib/users.ts";

export const options: Options = {
  ...common,
  scenarios: { heavy: { executor: "constant-vus", vus: 100, duration: "2m" } },
  thresholds: { ...correctness, ...latency("endpoint:user", "p(95)<20", "p(99)<50") },
};

export default function (sample: Sample): void {
  seed();
  askForUser(sample);
  think();
}

export const handleSummary = summaryOf("heavy");
