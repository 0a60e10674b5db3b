// Asks over HTTP for a thread that waits meanwhile: k6's http.get() returns the answer, Node's only promises it.
import { Agent, request } from "node:http";
import { workerData } from "node:worker_threads";

const { port, signal } = workerData;
const agent = new Agent({ keepAlive: true });

port.on("message", ({ method, url, timeout }) => {
  const started = process.hrtime.bigint();
  let done = false;
  const reply = (answer) => {
    if (done) return;
    done = true;
    port.postMessage({ ...answer, duration: Number(process.hrtime.bigint() - started) / 1e6 });
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
  };
  const asking = request(url, { method, agent, timeout }, (response) => {
    const parts = [];
    response.on("data", (part) => parts.push(part));
    response.on("error", (error) => reply({ status: 0, error: error.message, body: null }));
    response.on("end", () => reply({ status: response.statusCode, error: "", body: Buffer.concat(parts).toString() }));
  });
  asking.on("timeout", () => asking.destroy(new Error("request timeout")));
  asking.on("error", (error) => reply({ status: 0, error: error.message, body: null }));
  asking.end();
});
