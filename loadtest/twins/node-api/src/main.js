// Starts the workers and ends them: one alone is this process, several are processes among which connections are dealt out in turn
// (cluster). SIGTERM: what was asked is answered, then all end with 0.
import cluster from "node:cluster";
import { build } from "./api.js";
import { Database } from "./database.js";
import { NAME, read, share } from "./settings.js";

const say = (event, more) => console.error(JSON.stringify({ event, pid: process.pid, ...more }));
function die(why) {
  console.error(`${NAME}: ${why}`);
  process.exit(1);
}
const onStop = (stop) => ["SIGTERM", "SIGINT"].forEach((signal) => process.on(signal, stop));

async function serve(settings) {
  const database = new Database(settings);
  const app = build(database);
  let stopping = false;
  onStop(async () => {
    if (stopping) return;
    stopping = true;
    // An answer to a request that came before this says nothing of an end: its connection is closed once it is idle.
    setInterval(() => app.server.closeIdleConnections(), 50);
    await app.close();
    await database.close();
    process.exit(0);
  });
  await database.open();
  try {
    await app.listen({ port: settings.port, host: "::", ipv6Only: false });
  } catch (error) {
    die(`can't listen on PORT ${settings.port}: ${error.message}; choose another`);
  }
  say("listening", { port: settings.port, connections: settings.most });
}

function lead(settings) {
  let stopping = false;
  let failed = false;
  const indices = new Map(); // worker: its index
  const start = (index) => indices.set(cluster.fork({ WORKER_INDEX: index }), index);
  for (let index = 0; index < settings.workers; index += 1) start(index);
  const stop = () => {
    stopping = true;
    for (const worker of indices.keys()) worker.process.kill("SIGTERM");
  };
  onStop(stop);
  const listened = new Set();
  cluster.on("listening", (worker) => listened.add(worker));
  cluster.on("exit", (worker, status, signal) => {
    const index = indices.get(worker);
    indices.delete(worker);
    if (!stopping && listened.has(worker)) {
      say("worker_ended", { worker: worker.process.pid, status, signal });
      start(index);
    } else if (status !== 0) {
      failed = true;
      if (!stopping) stop(); // it never was up, and has said why
    }
    if (indices.size === 0) process.exit(failed ? 1 : 0);
  });
}

let settings;
try {
  settings = read();
} catch (error) {
  die(error.message);
}
if (cluster.isWorker) serve(share(settings, Number(process.env.WORKER_INDEX)));
else if (settings.workers === 1) serve(settings);
else lead(settings);
