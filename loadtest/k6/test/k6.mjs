// `k6 run [OPTIONS] SCRIPT` on the shim, for the containers' tests: a few iterations, and the exit status that k6 has.
import { basename } from "node:path";
import { run } from "./run.mjs";

const { files, summary } = await run(basename(process.argv.at(-1)), { ...process.env });
if (files.stdout) process.stdout.write(files.stdout);
const thresholds = Object.entries(summary.metrics).flatMap(([name, { thresholds }]) =>
  // Those about time would be of the machine that runs the tests.
  name.startsWith("http_req_duration") ? [] : Object.values(thresholds ?? {}),
);
process.exit(thresholds.every(({ ok }) => ok) ? 0 : 99);
