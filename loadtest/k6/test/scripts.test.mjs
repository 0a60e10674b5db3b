import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
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
    const name = `py-api-${scenario}-multi`;
    assert.deepEqual(Object.keys(files).sort(), [`${results}/${name}.json`, `${results}/${name}.log`, "stdout"].sort());
    assert.ok(readdirSync(results).includes(`${name}.log`));
    const report = read(`${name}.json`);
    assert.deepEqual([report.contender, report.scenario, report.mode], ["py-api", scenario, "multi"]);
    assert.deepEqual(failed(report), []);
    assert.deepEqual(correctness(crossed(report)), []);
    const scenarios = Object.keys(options.scenarios).length;
    assert.equal(report.requests, 20 * scenarios, "the requests of setup() are not counted");
    assert.deepEqual(report.errors, { failed_rate: 0, unanswered: 0, status: 0, wrong_body: 0, dropped_iterations: 0 });
    for (const stat of ["p(50)", "p(95)", "p(99)", "p(99.9)", "max"]) assert.ok(report.latency_ms[stat] > 0, stat);
    assert.ok(report.latency_ms["p(50)"] <= report.latency_ms.max);
    assert.match(files.stdout, new RegExp(`py-api ${scenario} multi: ${report.requests} requests`));
    const tags = Object.keys(report.by_tag).sort();
    if (scenario === "rate") {
      assert.deepEqual(tags, ["scenario:rate_100", "scenario:rate_200"]);
      assert.equal(report.by_tag["scenario:rate_100"].requests, 20);
      assert.equal(report.by_tag["scenario:rate_200"].dropped, 0);
      assert.deepEqual(sleeps, [], "an open loop has no think time");
    } else {
      assert.deepEqual(tags, scenario === "mixed" ? ["endpoint:page", "endpoint:user"] : ["endpoint:user"]);
      const mean = sleeps.reduce((a, b) => a + b, 0) / sleeps.length;
      assert.ok(mean > 0.085 && mean < 0.1, `about ten requests a second: a pause of ${mean} s`);
    }
  });

test("mixed: about one request of five is for a page", async () => {
  await run("mixed.ts", environment(good), 300);
  const { by_tag: by } = read("py-api-mixed-multi.json");
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
    const report = read(`${lie}-${scenario}-single.json`);
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
  await assert.rejects(run("light.ts", environment("http://127.0.0.1:1")), /is the service up/);
  await assert.rejects(run("light.ts", environment(good, { CONTENDER: "../x" })), /CONTENDER=\.\.\/x/);
  await assert.rejects(run("rate.ts", environment(good, { RATES: "fast" })), /RATES=fast/);
  await assert.rejects(run("rate.ts", environment(good, { STEP_SECONDS: "-1" })), /STEP_SECONDS=-1/);
});

test("another kind of summary is refused", async () => {
  const { module } = await run("light.ts", environment(good), 1);
  assert.throws(() => module.handleSummary({ results: {}, metadata: {} }), /pinned version/);
});

test("k6's version is that of its types", () => {
  const { config, devDependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  assert.equal(config.k6, devDependencies["@types/k6"]);
});
