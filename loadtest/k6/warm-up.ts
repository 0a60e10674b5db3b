// 100 virtual users for WARM_UP_SECONDS, of whom nothing is kept: what is compiled or cached as it is used is ready after it.
import type { Options } from "k6/options";
import { warmUpSeconds } from "./lib/settings.ts";
import { common } from "./lib/summary.ts";
import { askForUser, type Sample, think } from "./lib/users.ts";

export { setup } from "./lib/users.ts";

export const options: Options = {
  ...common,
  scenarios: { warm_up: { executor: "constant-vus", vus: 100, duration: `${warmUpSeconds}s` } },
};

export default function (sample: Sample): void {
  askForUser(sample);
  think();
}

export const handleSummary = () => ({});
