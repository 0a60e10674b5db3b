// What all scenarios have in common, and what a run leaves: a JSON file, a log, a few lines on the terminal.
import type { Options } from "k6/options";
import { baseUrl, contender, mode, pass, rates, resultsDir, stepSeconds } from "./settings.ts";

type Thresholds = NonNullable<Options["thresholds"]>;

// The part of k6's summary that is read here (its `legacy` data model, k6 2's default).
interface Metric {
  type: string;
  values: Record<string, number>;
  thresholds?: Record<string, { ok: boolean }>;
}
interface SummaryData {
  metrics: Record<string, Metric>;
  root_group: { checks: { name: string; passes: number; fails: number }[] };
  state: { testRunDurationMs: number };
}

// k6 keeps figures by tag only where a threshold asks for them.
export function latency(of: string, ...objectives: string[]): Thresholds {
  return { [`http_req_duration{${of}}`]: objectives, [`http_reqs{${of}}`]: ["count>=0"] };
}

// All requests but those of setup().
const LOAD = "phase:load";

// A part that k6 itself adds.
const OF_K6 = "expected_response:true";

// No answer may be wrong or missing; k6 exits with 99 when a threshold is crossed.
export const correctness: Thresholds = {
  checks: ["rate==1"],
  http_req_failed: ["rate==0"],
  errors_unanswered: ["count==0"],
  errors_status: ["count==0"],
  errors_body: ["count==0"],
  dropped_iterations: ["count==0"],
  ...latency(LOAD, "max>=0"),
};

export const common = {
  summaryTrendStats: ["min", "avg", "p(50)", "p(90)", "p(95)", "p(99)", "p(99.9)", "max", "count"],
  setupTimeout: "30s",
} satisfies Options;

// By the tag that a metric was kept for: `http_req_duration{endpoint:user}` is of "endpoint:user".
function tagOf(name: string): string | undefined {
  return /^http_req_duration\{(.+)\}$/.exec(name)?.[1];
}

function round(value: number | undefined, digits = 3): number {
  return Number((value ?? 0).toFixed(digits));
}

function latencyOf(metric: Metric | undefined): Record<string, number> {
  return Object.fromEntries(Object.entries(metric?.values ?? {}).map(([name, value]) => [name, round(value)]));
}

export type Report = ReturnType<typeof report>;

function report(scenario: string, data: SummaryData) {
  const { metrics } = data;
  const load = metrics[`http_reqs{${LOAD}}`];
  const countOf = (name: string) => metrics[name]?.values.count ?? 0;
  return {
    contender,
    scenario,
    mode,
    pass,
    base_url: baseUrl,
    ...(scenario === "rate" ? { rates, step_seconds: stepSeconds } : {}),
    duration_s: round(data.state.testRunDurationMs / 1000),
    requests: load?.values.count ?? 0,
    // In `rate` over the pauses, too: there each step has its own.
    requests_per_second: round(load?.values.rate),
    latency_ms: latencyOf(metrics[`http_req_duration{${LOAD}}`]),
    by_tag: Object.fromEntries(
      Object.entries(metrics).flatMap(([name, metric]) => {
        const tag = tagOf(name);
        if (!tag || tag === LOAD || tag === OF_K6) return [];
        const requests = countOf(`http_reqs{${tag}}`);
        const step = tag.startsWith("scenario:")
          ? { requests_per_second: round(requests / stepSeconds), dropped: countOf(`dropped_iterations{${tag}}`) }
          : {};
        return [[tag, { requests, ...step, latency_ms: latencyOf(metric) }]];
      }),
    ),
    errors: {
      failed_rate: metrics.http_req_failed?.values.rate ?? 0,
      unanswered: countOf("errors_unanswered"),
      status: countOf("errors_status"),
      wrong_body: countOf("errors_body"),
      dropped_iterations: countOf("dropped_iterations"),
    },
    checks: data.root_group.checks.map(({ name, passes, fails }) => ({ name, passes, fails })),
    thresholds: Object.entries(metrics).flatMap(([name, metric]) =>
      Object.entries(metric.thresholds ?? {}).map(([threshold, { ok }]) => ({ metric: name, threshold, ok })),
    ),
    metrics,
  };
}

function text(run: Report): string {
  const figures = (latency: Record<string, number>) =>
    ["p(50)", "p(95)", "p(99)", "p(99.9)", "max"]
      .map((name) => `${name} ${(latency[name] ?? 0).toFixed(2)}`)
      .join("  ");
  const { errors } = run;
  const failedChecks = run.checks.filter(({ fails }) => fails > 0);
  const crossed = run.thresholds.filter(({ ok }) => !ok);
  return [
    `${run.contender} ${run.scenario} ${run.mode} ${run.pass}: ${run.requests} requests in ${run.duration_s} s, ` +
      `${run.requests_per_second.toFixed(1)}/s`,
    `  ms                        ${figures(run.latency_ms)}`,
    ...Object.entries(run.by_tag).map(([tag, of]) => `  ${tag.padEnd(25)} ${figures(of.latency_ms)}`),
    `  errors: ${errors.unanswered} unanswered, ${errors.status} of another status, ` +
      `${errors.wrong_body} wrong bodies, ${errors.dropped_iterations} iterations dropped`,
    ...failedChecks.map(({ name, passes, fails }) => `  FAILED ${fails} of ${passes + fails}: ${name}`),
    ...crossed.map(({ metric, threshold }) => `  CROSSED ${metric}: ${threshold}`),
    "",
  ].join("\n");
}

export function summaryOf(scenario: string): (data: SummaryData) => Record<string, string> {
  return (data) => {
    if (!data.root_group || !data.metrics)
      throw new Error("k6 gave another kind of summary: run the pinned version without --new-machine-readable-summary");
    const run = report(scenario, data);
    const file = `${resultsDir}/${contender}-${scenario}-${mode}-${pass}`;
    const lines = text(run);
    return { [`${file}.json`]: `${JSON.stringify(run, null, 2)}\n`, [`${file}.log`]: lines, stdout: `\n${lines}` };
  };
}
