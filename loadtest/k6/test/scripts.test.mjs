import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { run } from "./run.mjs";

const results = mkdtempSync(join(tmpdir(), "k6-results-"));
const workers = [];

async function serve(kind) {
  const worker = new Worker(new URL("./server.mjs", import.meta.url), { workerData: kind });
  workers.push(worker);
  const port = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  return `http://127.0.0.1:${port}`;
}

// A service that is given (BASE_URL), or the one made up for these tests.
let good;
before(async () => void (good = process.env.BASE_URL || (await serve("good"))));
after(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  rmSync(results, { recursive: true });
});

const environment = (baseUrl, more = {}) => ({
  BASE_URL: baseUrl,
  CONTENDER: "py-api",
  MODE: "multi",
  PASS: "3",
  RESULTS_DIR: results,
  RATES: "100,200",
  STEP_SECONDS: "1",
  ...more,
});
const read = (name) => JSON.parse(readFileSync(join(results, name), "utf8"));
const failed = ({ checks }) => checks.filter(({ fails }) => fails > 0).map(({ name }) => name);
const crossed = ({ thresholds }) => thresholds.filter(({ ok }) => !ok).map(({ metric }) => metric);
// Those about time say something about the machine that runs the tests, not about the scripts.
const correctness = (metrics) => metrics.filter((metric) => !metric.startsWith("http_req_duration")).sort();

for (const scenario of ["light", "heavy", "mixed", "rate"])
  test(`${scenario}: a good service passes, and leaves its files`, async () => {
    const { files, sleeps, options } = await run(`${scenario}.ts`, environment(good));
    const name = `py-api-${scenario}-multi-3`;
    assert.deepEqual(Object.keys(files).sort(), [`${results}/${name}.json`, `${results}/${name}.log`, "stdout"].sort());
    assert.ok(readdirSync(results).includes(`${name}.log`));
    const report = read(`${name}.json`);
    assert.deepEqual([report.contender, report.scenario, report.mode, report.pass], ["py-api", scenario, "multi", 3]);
    assert.deepEqual(failed(report), []);
    assert.deepEqual(correctness(crossed(report)), []);
    const scenarios = Object.keys(options.scenarios).length;
    assert.equal(report.requests, 20 * scenarios, "the requests of setup() are not counted");
    assert.deepEqual(report.errors, { failed_rate: 0, unanswered: 0, status: 0, wrong_body: 0, dropped_iterations: 0 });
    for (const stat of ["p(50)", "p(95)", "p(99)", "p(99.9)", "max"]) assert.ok(report.latency_ms[stat] > 0, stat);
    assert.ok(report.latency_ms["p(50)"] <= report.latency_ms.max);
    assert.match(files.stdout, new RegExp(`py-api ${scenario} multi 3: ${report.requests} requests`));
    const tags = Object.keys(report.by_tag).sort();
    if (scenario === "rate") {
      assert.deepEqual(tags, ["scenario:rate_100", "scenario:rate_200"]);
      assert.equal(report.by_tag["scenario:rate_100"].requests, 20);
      assert.equal(report.by_tag["scenario:rate_200"].dropped, 0);
      assert.deepEqual(sleeps, [], "an open loop has no think time");
    } else {
      assert.deepEqual(tags, scenario === "mixed" ? ["endpoint:page", "endpoint:user"] : ["endpoint:user"]);
      const mean = sleeps.reduce((a, b) => a + b, 0) / sleeps.length;
      assert.ok(mean > 0.08 && mean < 0.11, `95 ms, as the harness's users think: ${mean} s`);
      assert.ok(Math.min(...sleeps) >= 0.0475 && Math.max(...sleeps) <= 0.1425);
    }
  });

test("mixed: about one request of five is for a page", async () => {
  await run("mixed.ts", environment(good), 300);
  const { by_tag: by } = read("py-api-mixed-multi-3.json");
  assert.equal(by["endpoint:user"].requests + by["endpoint:page"].requests, 300);
  assert.ok(by["endpoint:page"].requests > 35 && by["endpoint:page"].requests < 90, `${by["endpoint:page"].requests}`);
});

test("the sample is spread over the table, and small", async () => {
  const { data } = await run("light.ts", environment(good), 1);
  assert.equal(data.pages.length, 5);
  assert.equal(data.pages[0].offset, 0);
  assert.equal(data.pages[4].offset, data.total - 200);
  assert.deepEqual(new Set(data.pages.map(({ users }) => users.length)), new Set([200]));
});

test("any user of the table is asked for", async () => {
  const { asked, data } = await run("light.ts", environment(good), 400);
  const users = new Set(asked.filter((url) => /\/users\//.test(url)));
  assert.ok(users.size > 350 && users.size <= 400 + 1, `${users.size} of ${data.total}`);
});

test("users think as long as the harness's", () => {
  const harness = readFileSync(new URL("../../harness/comparison.py", import.meta.url), "utf8");
  const users = readFileSync(new URL("../lib/users.ts", import.meta.url), "utf8");
  const [, ms] = /^THINK_MS, .*= (\d+),/m.exec(harness);
  assert.match(users, new RegExp(`^const THINK_S = ${Number(ms) / 1000};$`, "m"));
});

test("the same users are asked for in each run", async () => {
  const urls = [];
  for (let i = 0; i < 2; i += 1) {
    const { summary } = await run("mixed.ts", environment(good), 40);
    urls.push(summary.metrics["http_reqs{endpoint:page}"].values.count);
  }
  assert.equal(urls[0], urls[1]);
});

// [the service's lie, the script, the checks that must fail, the counter that must count]
const lies = [
  ["another", "light", ["user: it is the one asked for"], "wrong_body"],
  ["mixed_up", "heavy", ["user: it is the one asked for"], "wrong_body"],
  ["not_json", "light", ["user: it is the one asked for"], "wrong_body"],
  ["unavailable", "rate", ["user: status is 200", "user: it is the one asked for"], "status"],
  ["cut", "light", ["user: status is 200", "user: it is the one asked for"], "unanswered"],
  ["short", "mixed", ["page: its users are those asked for, in order"], "wrong_body"],
  ["shifted", "mixed", ["page: its users are those asked for, in order"], "wrong_body"],
  ["total", "mixed", ["page: the total is right"], "wrong_body"],
];
for (const [lie, scenario, checks, counter] of lies)
  test(`${scenario}: a service that lies (${lie}) is found out`, async () => {
    const { files } = await run(`${scenario}.ts`, environment(await serve(lie), { CONTENDER: lie, MODE: "single" }));
    const report = read(`${lie}-${scenario}-single-3.json`);
    assert.deepEqual(failed(report), checks);
    assert.ok(report.errors[counter] > 0);
    const counters = { wrong_body: "errors_body", status: "errors_status", unanswered: "errors_unanswered" };
    const expected = ["checks", counters[counter], ...(counter === "wrong_body" ? [] : ["http_req_failed"])];
    assert.deepEqual(correctness(crossed(report)), expected.sort());
    assert.match(files.stdout, /FAILED \d+ of \d+/);
    assert.match(files.stdout, /CROSSED checks: rate==1/);
  });

test("an empty table, a service that is not there, a wrong setting: each is said", async () => {
  await assert.rejects(run("light.ts", environment(await serve("empty"))), /has 0 users.*seed it/);
  await assert.rejects(run("light.ts", environment(await serve("strangers"))), /user 2500, .* is not in the table/);
  await assert.rejects(run("light.ts", environment("http://127.0.0.1:1")), /is the service up/);
  await assert.rejects(run("light.ts", environment(good, { CONTENDER: "../x" })), /CONTENDER=\.\.\/x/);
  await assert.rejects(run("rate.ts", environment(good, { RATES: "fast" })), /RATES=fast/);
  await assert.rejects(run("rate.ts", environment(good, { STEP_SECONDS: "-1" })), /STEP_SECONDS=-1/);
});

test("another kind of summary is refused", async () => {
  const { module } = await run("light.ts", environment(good), 1);
  assert.throws(() => module.handleSummary({ results: {}, metadata: {} }), /pinned version/);
});

// A run as `turns` leaves it.
function leave(folder, contender, scenario, pass, { p50, max, requests, k6 = 2, idle = 10, errors = 0, thresholds = [] }) {
  const file = `${contender}-${scenario}-single-${pass}.json`;
  const report = {
    contender,
    scenario,
    mode: "single",
    pass,
    duration_s: 10,
    requests,
    requests_per_second: requests / 10,
    latency_ms: { "p(50)": p50, "p(95)": 2 * p50, "p(99)": 3 * p50, max },
    errors: { failed_rate: 0, unanswered: errors, status: 0, wrong_body: 0, dropped_iterations: 0 },
    thresholds,
    cpu_s: 40,
    k6_cpu_s: k6,
    idle_cpu_s: idle,
  };
  writeFileSync(join(folder, file), JSON.stringify(report));
  return file;
}

test("the tables: a median of the passes, the greatest maximum, the sum of errors", async () => {
  const crossed = [{ metric: "errors_unanswered", threshold: "count==0", ok: false }];
  const folder = join(results, "run");
  mkdirSync(folder);
  const RUNS = [
    leave(folder, "go-api", "light", 1, { p50: 1, max: 10, requests: 1000 }),
    leave(folder, "ringpost", "light", 1, { p50: 0.5, max: 7, requests: 1010 }),
    leave(folder, "go-api", "light", 2, { p50: 3, max: 90, requests: 1100, errors: 2, thresholds: crossed }),
    leave(folder, "ringpost", "light", 2, { p50: 0.7, max: 5.5, requests: 1030 }),
    leave(folder, "go-api", "light", 3, { p50: 2, max: 20, requests: 1050 }),
    // The machine has no CPU left: k6 takes most of it, or somebody else does.
    leave(folder, "go-api", "heavy", 1, { p50: 0.5, max: 7, requests: 10000, k6: 19, idle: 3.9 }),
    leave(folder, "ringpost", "heavy", 1, { p50: 0.5, max: 7, requests: 10000, k6: 17, idle: 3.9 }),
  ].join(" ");
  const settings = { ...environment(good, { RESULTS_DIR: folder, MODE: "single" }), RUNS, CPUS: "1", CONNECTIONS: "30" };
  const { files } = await run("tables.ts", settings, 1);
  const expected = [
    "10 virtual users (light), 1 CPU, 30 connections (single), medians of 3 passes",
    "                  go-api    ringpost         Go*     Python*",
    "p50 ms              2.00        0.60         1.2         2.5",
    "p95 ms              4.00        1.20        4.02        8.58",
    "p99 ms              6.00        1.80        4.83        10.4",
    "max ms              90.0         7.0           -           -",
    "requests/s         105.0       102.0         106         104",
    "requests            3150        2040           -           -",
    "errors                 2           0           0           0",
    "k6's CPUs           0.20        0.20           -           -",
    "* the original comparison, 31 January 2026, on another machine: 4 CPUs, 40 connections",
    "go-api crossed, in pass 2: errors_unanswered: count==0",
    "",
    "100 virtual users (heavy), 1 CPU, 30 connections (single), one pass",
    "                  go-api    ringpost         Go*     Python*",
    "p50 ms              0.50        0.50         1.0        2.47",
    "p95 ms              1.00        1.00        5.11        7.08",
    "p99 ms              1.50        1.50        10.4       22.81",
    "max ms               7.0         7.0          88        1980",
    "requests/s        1000.0      1000.0        1070        1054",
    "requests           10000       10000           -           -",
    "errors                 0           0           0           0",
    "k6's CPUs         1.90 !      1.70 ~           -           -",
    "* the original comparison, 31 January 2026, on another machine: 4 CPUs, 40 connections",
    "! k6 was the bottleneck: it took most of a machine that had no CPU left; the figures are its own, too",
    "~ the machine had no CPU left, which k6 took the less of: k6 waited, too",
    "",
  ].join("\n");
  assert.equal(files.stdout, `\n${expected}`);
  assert.equal(readFileSync(join(folder, "summary.txt"), "utf8"), expected);
  assert.equal(readFileSync(join(results, "summary-single.txt"), "utf8"), expected);
});

test("what was published is what the report has", () => {
  const report = readFileSync(new URL("../../report/original.py", import.meta.url), "utf8");
  const [, text] = /^FIGURES = (\{.*\})/ms.exec(report);
  const figures = JSON.parse(text.replaceAll("(", "[").replaceAll(")", "]").replaceAll("None", "null").replace(/,(\s*\})/g, "$1"));
  const tables = readFileSync(new URL("../tables.ts", import.meta.url), "utf8");
  for (const scenario of ["light", "heavy"])
    for (const [metric, [go, python]] of Object.entries(figures[scenario])) {
      const name = { rps: "requests/s", errors: "errors" }[metric] ?? `"${metric} ms"`;
      const [, of] = new RegExp(`^  ${scenario}: \\{(.*?)\\},$`, "ms").exec(tables);
      const found = new RegExp(`"?${name.replaceAll('"', "")}"?: \\["([\\d.]+)", "([\\d.]+)"\\]`).exec(of);
      assert.deepEqual(found && [Number(found[1]), Number(found[2])], go === null ? null : [go, python], `${scenario} ${metric}`);
    }
});

test("turns: each pass has all, warmed up, and the order turns; a bad run does not end it", () => {
  const root = mkdtempSync(join(tmpdir(), "k6 turns "));
  const tool = (name, ...lines) => writeFileSync(join(root, name), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  tool("getent", '[ "$2" != gone ]');
  tool(
    "k6",
    'script=$(basename "$3" .ts)',
    'echo "$script $CONTENDER $BASE_URL $PASS" >>"${0%/*}/said"',
    '[ "$script" != tables ] || echo "$RUNS" >>"${0%/*}/said"',
    'case "$script $CONTENDER" in "light b") exit 99 ;; light*) printf "{\\n  \\"contender\\": \\"%s\\"\\n}\\n" "$CONTENDER" >"$RESULTS_DIR/$CONTENDER-$script-$MODE-$PASS.json" ;; esac',
  );
  const turns = new URL("../turns", import.meta.url).pathname;
  const done = spawnSync("sh", [turns, "a", "gone", "b", "c"], {
    encoding: "utf8",
    env: { PATH: `${root}:${process.env.PATH}`, RESULTS_ROOT: root, SCENARIO: "light", PASSES: "2", MODE: "multi" },
  });
  const [folder] = readdirSync(root).filter((name) => name.startsWith("k6-multi-"));
  const said = readFileSync(join(root, "said"), "utf8").trim().split("\n");
  assert.deepEqual(said.slice(0, -2), [
    ...["a", "b", "c"].flatMap((name) => [`warm-up ${name} http://${name}:8080 1`, `light ${name} http://${name}:8080 1`]),
    ...["b", "c", "a"].flatMap((name) => [`warm-up ${name} http://${name}:8080 2`, `light ${name} http://${name}:8080 2`]),
  ]);
  assert.equal(said.at(-1), " a-light-multi-1.json c-light-multi-1.json c-light-multi-2.json a-light-multi-2.json");
  const report = JSON.parse(readFileSync(join(root, folder, "a-light-multi-2.json"), "utf8"));
  assert.deepEqual(Object.keys(report), ["cpu_s", "k6_cpu_s", "idle_cpu_s", "contender"]);
  assert.ok(report.k6_cpu_s >= 0 && report.k6_cpu_s < 5 && report.idle_cpu_s <= report.cpu_s, JSON.stringify(report));
  assert.match(done.stdout, /LEFT OUT: gone is not up/);
  assert.match(done.stdout, /b, light: no result/);
  assert.match(done.stderr, /a threshold was crossed, or k6 failed: b:light:1 b:light:2/);
  assert.equal(done.status, 1);

  for (const [settings, words] of [
    [{ SCENARIO: "none" }, "SCENARIO is of: light heavy mixed rate; not 'none'"],
    [{ PASSES: "x" }, "PASSES is a number from 1, not 'x'"],
  ]) {
    const refused = spawnSync("sh", [turns, "a"], { encoding: "utf8", env: { PATH: `${root}:${process.env.PATH}`, ...settings } });
    assert.deepEqual([refused.status, refused.stderr], [1, `k6: ${words}\n`]);
  }
  rmSync(root, { recursive: true });
});

test("k6's version is that of its types", () => {
  const { config, devDependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  assert.equal(config.k6, devDependencies["@types/k6"]);
});
