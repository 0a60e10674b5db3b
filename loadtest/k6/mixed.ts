// 50 virtual users for a minute; four requests of five are for one user, the fifth for a page of 50.
import type { Options } from "k6/options";
import { common, correctness, latency, summaryOf } from "./lib/summary.ts";
import { askForPage, askForUser, type Sample, seed, think } from "./lib/users.ts";

export { setup } from "./lib/users.ts";

export const options: Options = {
  ...common,
  scenarios: { mixed: { executor: "constant-vus", vus: 50, duration: "1m" } },
  thresholds: {
    ...correctness,
    ...latency("endpoint:user", "p(95)<20", "p(99)<50"),
    ...latency("endpoint:page", "p(95)<50", "p(99)<100"),
  },
};

export default function (sample: Sample): void {
  seed();
  if (Math.random() < 0.8) askForUser(sample);
  else askForPage(sample);
  think();
}

export const handleSummary = summaryOf("mixed");
