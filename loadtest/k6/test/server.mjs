// A service in a thread of its own: the contract's two endpoints over made-up users. `workerData` says how it lies.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { parentPort, workerData } from "node:worker_threads";

// Python: uuid.uuid3(uuid.UUID("5eedf00d-1357-4ace-8bad-c0ffee123456"), str(n)), in the order of their ids.
function idOf(n) {
  const bytes = createHash("md5").update("5eedf00d13574ace8badc0ffee123456", "hex").update(String(n)).digest();
  bytes[6] = (bytes[6] & 0x0f) | 0x30;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
const users = Array.from({ length: 2500 }, (_, i) => ({
  id: idOf(i + 1),
  email: `user${i + 1}@example.com`,
  full_name: `User ${i + 1}`,
})).sort((a, b) => (a.id < b.id ? -1 : 1));
const places = new Map(users.map(({ id }, i) => [id, i]));

// The total, a user, five pages.
const SAMPLE_REQUESTS = 7;
let asked = 0;
const answers = {
  // Another user's body, whoever was asked for.
  another: (status, body) => (body.id ? [status, users[(places.get(body.id) + 1) % users.length]] : [status, body]),
  // The right id with somebody else's address: a row put together from two.
  mixed_up: (status, body) => (body.id ? [status, { ...body, email: "other@example.com" }] : [status, body]),
  // Once the sample is read, pages are one user short, or shifted, or have another total.
  short: (status, body) =>
    body.items && asked > SAMPLE_REQUESTS ? [status, { ...body, items: body.items.slice(1) }] : [status, body],
  shifted: (status, body) =>
    body.items && asked > SAMPLE_REQUESTS
      ? [status, { ...body, items: users.slice(body.offset + 1, body.offset + 51) }]
      : [status, body],
  total: (status, body) => (body.items && asked > SAMPLE_REQUESTS ? [status, { ...body, total: 1 }] : [status, body]),
  unavailable: (status, body) => (body.id ? [503, { error: "unavailable" }] : [status, body]),
  strangers: (status, body) => (body.id ? [404, { error: "not_found" }] : [status, body]),
  empty: () => [200, { items: [], limit: 200, offset: 0, total: 0 }],
  not_json: (status, body) => (body.id ? [status, "<html>"] : [status, body]),
};

function answer({ pathname, searchParams }) {
  if (pathname === "/users") {
    const limit = Number(searchParams.get("limit")),
      offset = Number(searchParams.get("offset"));
    return [200, { items: users.slice(offset, offset + limit), limit, offset, total: users.length }];
  }
  const user = users[places.get(pathname.slice("/users/".length))];
  return user ? [200, user] : [404, { error: "not_found" }];
}

const server = createServer((request, response) => {
  asked += 1;
  const lie = answers[workerData] ?? ((status, body) => [status, body]);
  const [status, body] = lie(...answer(new URL(request.url, "http://localhost")));
  if (workerData === "cut" && body.id) return request.socket.destroy();
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
