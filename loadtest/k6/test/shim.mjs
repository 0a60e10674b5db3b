// As much of k6 as the scripts use, for Node: its modules, its metrics, and the summary that it hands to
// handleSummary(). What a script could get wrong and Node would let pass is refused here.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";

const TYPES = {
  http_reqs: "counter",
  http_req_duration: "trend",
  http_req_failed: "rate",
  checks: "rate",
  dropped_iterations: "counter",
  iterations: "counter",
};

let samples, checks, started, slept, asked, inInit, scenarioTag;

export function reset() {
  samples = [];
  checks = new Map();
  slept = [];
  asked = [];
  inInit = true;
  scenarioTag = undefined;
  started = performance.now();
}
reset();

// Which scenario's virtual user is running; k6 tags its samples by it.
export function enter(scenario) {
  inInit = false;
  scenarioTag = scenario;
}
export const sleeps = () => slept;
export const urls = () => asked;

function add(metric, value, tags = {}) {
  assert.ok(Number.isFinite(value), `${metric}: ${value} is no number`);
  samples.push({ metric, value, tags: scenarioTag ? { scenario: scenarioTag, ...tags } : tags });
}

// ---- k6
export function check(value, sets, tags = {}) {
  assert.ok(!inInit, "check() in the init context");
  let all = true;
  for (const [name, test] of Object.entries(sets)) {
    const passed = Boolean(test(value));
    all &&= passed;
    add("checks", passed ? 1 : 0, { check: name, ...tags });
    const of = checks.get(name) ?? { name, passes: 0, fails: 0 };
    of[passed ? "passes" : "fails"] += 1;
    checks.set(name, of);
  }
  return all;
}
export function fail(why) {
  throw new Error(why);
}
export function sleep(seconds) {
  assert.ok(seconds > 0 && seconds < 10, `sleep(${seconds}): seconds, not milliseconds`);
  slept.push(seconds);
}
// Not k6's generator: the same numbers for the same seed is what counts.
export function randomSeed(seed) {
  let state = seed >>> 0;
  Math.random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// ---- k6/crypto
export function md5(data, encoding) {
  assert.ok(data instanceof ArrayBuffer && encoding === "hex");
  return createHash("md5").update(new Uint8Array(data)).digest("hex");
}

// ---- k6/metrics
function metricClass(type) {
  return class {
    constructor(name) {
      assert.ok(inInit, `metric ${name} made outside the init context`);
      assert.match(name, /^[A-Za-z_]\w{0,127}$/);
      TYPES[name] = type;
      this.name = name;
    }
    add(value, tags) {
      add(this.name, Number(value), tags);
    }
  };
}
export const Counter = metricClass("counter");
export const Trend = metricClass("trend");
export const Rate = metricClass("rate");
export const Gauge = metricClass("gauge");

// ---- k6/http
let thread;
function fetchNow(message) {
  if (!thread) {
    const { port1, port2 } = new MessageChannel();
    const signal = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(new URL("./http-thread.mjs", import.meta.url), {
      workerData: { port: port2, signal },
      transferList: [port2],
    });
    worker.unref();
    thread = { port: port1, signal };
  }
  Atomics.store(thread.signal, 0, 0);
  thread.port.postMessage(message);
  Atomics.wait(thread.signal, 0, 0, 20_000);
  const received = receiveMessageOnPort(thread.port);
  assert.ok(received, `no answer of the thread to ${message.url}`);
  return received.message;
}

let expected = (status) => status >= 200 && status < 400;
const http = {
  expectedStatuses:
    (...statuses) =>
    (status) =>
      statuses.includes(status),
  setResponseCallback: (callback) => void (expected = callback),
  get(url, params = {}, ...rest) {
    assert.equal(rest.length, 0, "http.get() takes a URL and params");
    assert.ok(!inInit, "a request in the init context");
    const unknown = Object.keys(params).filter(
      (name) => !["responseType", "timeout", "tags", "headers"].includes(name),
    );
    assert.deepEqual(unknown, [], "parameters that k6 does not know");
    assert.match(params.timeout ?? "60s", /^\d+(ms|s|m)$/);
    assert.ok(params.tags?.name, "without a name each URL becomes a series of its own");
    asked.push(url);
    const answer = fetchNow({ method: "GET", url, timeout: 5000 });
    const tags = { ...params.tags, status: String(answer.status), expected_response: String(expected(answer.status)) };
    add("http_reqs", 1, tags);
    add("http_req_duration", answer.duration, tags);
    add("http_req_failed", expected(answer.status) ? 0 : 1, tags);
    return { ...answer, url, error_code: answer.status === 0 ? 1000 : 0, timings: { duration: answer.duration } };
  },
};
export default http;

// ---- the summary
function percentile(sorted, p) {
  const at = (sorted.length - 1) * (p / 100),
    low = Math.floor(at);
  const high = sorted[Math.min(low + 1, sorted.length - 1)];
  return sorted[low] + (high - sorted[low]) * (at - low);
}

function valuesOf(type, of, stats, seconds) {
  const values = of.map(({ value }) => value);
  const sum = values.reduce((a, b) => a + b, 0);
  if (type === "counter") return { count: sum, rate: sum / seconds };
  if (type === "rate")
    return { rate: values.length ? sum / values.length : 0, passes: sum, fails: values.length - sum };
  const sorted = values.sort((a, b) => a - b);
  const stat = (name) => {
    const p = /^p\((\d+(?:\.\d+)?)\)$/.exec(name);
    if (p) return sorted.length ? percentile(sorted, Number(p[1])) : 0;
    const known = {
      min: sorted[0],
      max: sorted.at(-1),
      avg: sum / values.length,
      med: percentile(sorted, 50),
      count: values.length,
    };
    assert.ok(name in known, `summaryTrendStats: ${name} is none`);
    return known[name] || 0;
  };
  return Object.fromEntries(stats.map((name) => [name, stat(name)]));
}

const AGGREGATES = { counter: /^(count|rate)$/, rate: /^rate$/, trend: /^(avg|min|max|med|p\(\d+(\.\d+)?\))$/ };

function crossed(type, of, threshold, seconds) {
  const parsed = /^\s*(\S+?)\s*(<=|>=|===|==|!=|<|>)\s*([\d.]+)\s*$/.exec(threshold);
  assert.ok(parsed, `threshold "${threshold}"`);
  const [, aggregate, operator, limit] = parsed;
  assert.match(aggregate, AGGREGATES[type], `threshold "${threshold}" of a ${type}`);
  if (type === "trend" && of.length === 0) return false;
  const value = valuesOf(type, of, [aggregate], seconds)[aggregate];
  const compare = {
    "<": (a, b) => a < b,
    ">": (a, b) => a > b,
    "<=": (a, b) => a <= b,
    ">=": (a, b) => a >= b,
    "==": (a, b) => a === b,
    "===": (a, b) => a === b,
    "!=": (a, b) => a !== b,
  };
  return !compare[operator](value, Number(limit));
}

// In the shape that handleSummary() gets: metrics that have samples, and those by tag that a threshold names.
export function summary({ summaryTrendStats = ["avg"], ...options }) {
  const seconds = (performance.now() - started) / 1000;
  const metrics = {};
  const own = ["http_req_duration{expected_response:true}"];
  const names = new Set([...samples.map(({ metric }) => metric), ...own, ...Object.keys(options.thresholds ?? {})]);
  for (const name of names) {
    const [, base, filter] = /^(\w+)(?:\{(.+)\})?$/.exec(name) ?? assert.fail(`threshold on "${name}"`);
    const type = TYPES[base] ?? assert.fail(`a threshold on "${base}", a metric that nobody made`);
    const wanted = (filter ?? "")
      .split(",")
      .filter(Boolean)
      .map((pair) => pair.split(":"));
    const of = samples.filter(
      ({ metric, tags }) => metric === base && wanted.every(([tag, value]) => tags[tag] === value),
    );
    const thresholds = options.thresholds?.[name];
    metrics[name] = { type, contains: "default", values: valuesOf(type, of, summaryTrendStats, seconds) };
    if (thresholds)
      metrics[name].thresholds = Object.fromEntries(
        thresholds.map((threshold) => [threshold, { ok: !crossed(type, of, threshold, seconds) }]),
      );
  }
  return {
    root_group: {
      name: "",
      path: "",
      id: "d41d8cd98f00b204e9800998ecf8427e",
      groups: [],
      checks: [...checks.values()],
    },
    options: { summaryTrendStats, summaryTimeUnit: "", noColor: true },
    state: { isStdOutTTY: false, isStdErrTTY: false, testRunDurationMs: seconds * 1000 },
    metrics,
  };
}
