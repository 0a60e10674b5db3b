// The original comparison's tables, one for each load, of the runs that `turns` made: the files in RUNS, of RESULTS_DIR, with blanks between.
// It is a script for k6 because k6's image has no other language. Figures are medians of the passes; of the maximum the greatest,
// of requests and errors the sum.
import type { Options } from "k6/options";
import { mode, resultsDir } from "./lib/settings.ts";
import type { Report } from "./lib/summary.ts";

// What `turns` adds to a run: CPU seconds of the machine meanwhile, those that k6 took and those that nobody took.
type Run = Report & { cpu_s: number; k6_cpu_s: number; idle_cpu_s: number };

// With less than this share of the machine idle, somebody waited for a CPU: k6 too, and its figures are then partly its own.
const LEAST_IDLE = 0.1;
const LOADS: Record<string, string> = {
  light: "10 virtual users",
  heavy: "100 virtual users",
  mixed: "50 virtual users, a page in five requests",
  rate: "fixed rates one after another",
};

// What was published then (report/original.py), Go and Python, by a table's rows.
const ORIGINAL = ["Go*", "Python*"];
const PUBLISHED: Record<string, Record<string, [string, string]>> = {
  light: { "p50 ms": ["1.2", "2.5"], "p95 ms": ["4.02", "8.58"], "p99 ms": ["4.83", "10.4"], "requests/s": ["106", "104"], errors: ["0", "0"] },
  heavy: {
    "p50 ms": ["1.0", "2.47"],
    "p95 ms": ["5.11", "7.08"],
    "p99 ms": ["10.4", "22.81"],
    "max ms": ["88", "1980"],
    "requests/s": ["1070", "1054"],
    errors: ["0", "0"],
  },
};
const WHEN = "* the original comparison, 31 January 2026, on another machine: 4 CPUs, 40 connections";

export const options: Options = { vus: 1, iterations: 1 };

const runs = (__ENV.RUNS || "").split(" ").filter(Boolean).map((file) => JSON.parse(open(`${resultsDir}/${file}`)) as Run);

export default function (): void {}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0)) / 2;
}
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

function errorsOf({ errors }: Run): number {
  return errors.unanswered + errors.status + errors.wrong_body + errors.dropped_iterations;
}
const MARKS = {
  "!": "! k6 was the bottleneck: it took most of a machine that had no CPU left; the figures are its own, too",
  "~": "~ the machine had no CPU left, which k6 took the less of: k6 waited, too",
};
function mark({ cpu_s: all, k6_cpu_s: k6, idle_cpu_s: idle }: Run): "!" | "~" | "" {
  if (idle >= LEAST_IDLE * all) return "";
  return k6 > (all - idle) / 2 ? "!" : "~";
}
const marks = (of: Run[]) => [...new Set(of.map(mark))].filter((found) => found !== "").sort();

const ROWS: [string, (of: Run[]) => string][] = [
  ...["p(50)", "p(95)", "p(99)"].map((stat): [string, (of: Run[]) => string] => [
    `${stat.replace(/[()]/g, "")} ms`,
    (of) => median(of.map(({ latency_ms }) => latency_ms[stat] ?? 0)).toFixed(2),
  ]),
  ["max ms", (of) => Math.max(...of.map(({ latency_ms }) => latency_ms.max ?? 0)).toFixed(1)],
  ["requests/s", (of) => median(of.map((run) => run.requests_per_second)).toFixed(1)],
  ["requests", (of) => String(sum(of.map(({ requests }) => requests)))],
  ["errors", (of) => String(sum(of.map(errorsOf)))],
  [
    "k6's CPUs",
    (of) => [median(of.map((run) => run.k6_cpu_s / run.duration_s)).toFixed(2), ...marks(of)].join(" "),
  ],
];

function table(scenario: string, of: Run[]): string {
  const contenders = [...new Set(of.map(({ contender }) => contender))].sort();
  const passes = new Set(of.map(({ pass }) => pass)).size;
  const width = Math.max(10, ...contenders.map((name) => name.length)) + 2;
  const line = (first: string, cells: string[]) => first.padEnd(12) + cells.map((cell) => cell.padStart(width)).join("");
  const published = PUBLISHED[scenario];
  const failed = of.flatMap((run) =>
    run.thresholds
      .filter(({ ok }) => !ok)
      .map(({ metric, threshold }) => `${run.contender} crossed, in pass ${run.pass}: ${metric}: ${threshold}`),
  );
  return [
    `${LOADS[scenario] ?? scenario} (${scenario}), ${__ENV.CPUS} CPU, ${__ENV.CONNECTIONS} connections (${mode}), ` +
      `${passes === 1 ? "one pass" : `medians of ${passes} passes`}`,
    line("", [...contenders, ...(published ? ORIGINAL : [])]),
    ...ROWS.map(([name, cell]) =>
      line(name, [
        ...contenders.map((contender) => cell(of.filter((run) => run.contender === contender))),
        ...(published ? (published[name] ?? ["-", "-"]) : []),
      ]),
    ),
    ...(published ? [WHEN] : []),
    ...marks(of).map((found) => MARKS[found]),
    ...failed,
    "",
  ].join("\n");
}

export function handleSummary(): Record<string, string> {
  const scenarios = [...new Set(runs.map(({ scenario }) => scenario))];
  const text = scenarios.map((scenario) => table(scenario, runs.filter((run) => run.scenario === scenario))).join("\n");
  // Beside the run's own files, and where the latest one of a mode is looked for.
  return { [`${resultsDir}/summary.txt`]: text, [`${resultsDir}/../summary-${mode}.txt`]: text, stdout: `\n${text}` };
}
