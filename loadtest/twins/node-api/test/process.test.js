// The program as it is started, against DATABASE_URL's table, which is only read; and its way to a PostgreSQL that is away,
// silent, or ends its connections.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";
import { after, test } from "node:test";
import postgres from "postgres";
import { Database, Unavailable } from "../src/database.js";
import { FIND, PING } from "../src/users.js";
import { read } from "../src/settings.js";

const skip = process.env.DATABASE_URL ? false : "DATABASE_URL is not set";
const own = skip ? null : postgres(process.env.DATABASE_URL, { max: 1 });
after(() => own?.end());

const freePort = () =>
  new Promise((resolve) => {
    const probe = net.createServer().listen(0, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

// The running program: `ready` when so many workers listen; `ended` is its exit status.
function start(settings, workers = 1) {
  const child = spawn(process.execPath, ["src/main.js"], { env: { ...process.env, ...settings }, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const ready = new Promise((resolve, reject) => {
    child.stderr.on("data", (part) => {
      said += part;
      if (said.split('"listening"').length > workers) resolve();
    });
    ended.then(() => reject(new Error(said)));
  });
  return { child, ready, ended, said: () => said };
}

const eventually = async (check) => {
  for (const end = Date.now() + 5000; !(await check()); await new Promise((resolve) => setTimeout(resolve, 20)))
    assert.ok(Date.now() < end, "not within 5 s");
};
const connections = async (name) => (await own`select pid from pg_stat_activity where application_name = ${name}`).map(({ pid }) => pid);

for (const workers of [1, 2])
  test(`${workers} worker(s): so many connections as are asked for; SIGTERM answers what was asked, then ends with 0`, { skip }, async () => {
    const port = await freePort();
    const name = `node-api-test-${workers}`;
    const program = start({ PORT: String(port), WEB_CONCURRENCY: String(workers), DB_MAX_CONNS: "5", DB_MIN_CONNS: "5", PGAPPNAME: name }, workers);
    await program.ready;
    assert.equal((await connections(name)).length, 5);
    let asked;
    await own.begin(async (locked) => {
      await locked`lock table users`;
      asked = fetch(`http://127.0.0.1:${port}/users?limit=1`);
      await eventually(async () => (await locked`select 1 from pg_locks where not granted and relation = 'users'::regclass`).length > 0);
      program.child.kill("SIGTERM");
      await new Promise((resolve) => setTimeout(resolve, 100)); // so that it knows, before the table is free again
    });
    assert.equal((await asked).status, 200);
    assert.equal(await program.ended, 0, program.said());
  });

test("the contract is kept", { skip }, async () => {
  const port = await freePort();
  const program = start({ PORT: String(port), WEB_CONCURRENCY: "1", DB_MAX_CONNS: "4", DB_MIN_CONNS: "1" });
  await program.ready;
  const asking = spawn("../../contract", [`http://127.0.0.1:${port}`], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  asking.stdout.on("data", (part) => (said += part));
  assert.equal(await new Promise((resolve) => asking.on("exit", resolve)), 0, said);
  program.child.kill("SIGTERM");
  assert.equal(await program.ended, 0, program.said());
});

test("a worker that was killed is replaced", { skip }, async () => {
  const program = start({ PORT: String(await freePort()), WEB_CONCURRENCY: "2", DB_MAX_CONNS: "2" }, 2);
  await program.ready;
  const pids = () => [...program.said().matchAll(/"listening","pid":(\d+)/g)].map(([, pid]) => Number(pid));
  process.kill(pids()[0], "SIGKILL");
  await eventually(() => pids().length === 3);
  program.child.kill("SIGTERM");
  assert.equal(await program.ended, 0, program.said());
});

test("a port that is taken, a setting that is wrong: one line, and 1", async () => {
  const taken = net.createServer().listen(0);
  const port = String(taken.address().port);
  for (const [settings, words] of [
    [{ PORT: port, WEB_CONCURRENCY: "1" }, `node-api: can't listen on PORT ${port}`],
    [{ PORT: port, WEB_CONCURRENCY: "2" }, `node-api: can't listen on PORT ${port}`],
    [{ PORT: "x" }, "node-api: PORT is 'x'"],
  ]) {
    const program = start({ DB_MAX_CONNS: "2", DB_MIN_CONNS: "0", ...settings });
    program.ready.catch(() => {});
    assert.equal(await program.ended, 1);
    assert.ok(program.said().includes(words), program.said());
  }
  taken.close();
});

const database = (settings) => new Database(read({ DB_MAX_CONNS: "2", DB_MIN_CONNS: "2", ...settings }));

test("connections that PostgreSQL ends are no error of those who ask", { skip }, async () => {
  const one = database({ DATABASE_URL: process.env.DATABASE_URL, PGAPPNAME: "node-api-test-ended" });
  await one.open();
  const asked = Array.from({ length: 8 }, () => one.rows("select pg_sleep(0.1), $1::int", [1], 2000));
  await new Promise((resolve) => setTimeout(resolve, 30));
  for (const pid of await connections("node-api-test-ended")) await own`select pg_terminate_backend(${pid})`;
  assert.deepEqual(new Set((await Promise.all(asked)).map((rows) => rows.length)), new Set([1]));
  await one.close();
});

test("a PostgreSQL that is away, or says nothing, is unavailable by the deadline", async () => {
  const silent = net.createServer(() => {}).listen(0);
  for (const port of [await freePort(), silent.address().port]) {
    const one = database({ DATABASE_URL: `postgresql://u@127.0.0.1:${port}/d` });
    const begun = performance.now();
    await assert.rejects(one.rows(FIND, ["x"], 300), Unavailable);
    assert.ok(performance.now() - begun < 450, `${performance.now() - begun} ms`);
    await one.close();
  }
  silent.close();
});

test("connections that fall silent are given up, and others are made", { skip }, async () => {
  const { hostname, port } = new URL(process.env.DATABASE_URL);
  // A way to PostgreSQL whose first connections are cut off without a word.
  let hold = false;
  const held = [];
  const way = net.createServer((client) => {
    const server = net.connect(Number(port), hostname);
    client.on("data", (part) => held.includes(client) || server.write(part));
    server.on("data", (part) => held.includes(client) || client.write(part));
    client.on("close", () => server.destroy()).on("error", () => {});
    server.on("close", () => client.destroy()).on("error", () => {});
    if (!hold) held.candidates = [...(held.candidates ?? []), client];
  });
  await new Promise((resolve) => way.listen(0, resolve));
  const url = new URL(process.env.DATABASE_URL);
  url.host = `127.0.0.1:${way.address().port}`;
  const one = database({ DATABASE_URL: url.href });
  await one.open();
  held.push(...held.candidates);
  hold = true;
  await assert.rejects(one.rows(PING, [], 300), Unavailable);
  assert.equal((await one.rows(PING, [], 2000)).length, 1);
  await one.close();
  way.close();
});
