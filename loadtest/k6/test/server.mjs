// A service in a thread of its own: the contract's two endpoints over made-up users. `workerData` says how it lies.
import { createServer } from "node:http";
import { parentPort, workerData } from "node:worker_threads";

const users = Array.from({ length: 2500 }, (_, i) => ({
  id: `${i.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`,
  email: `user${i}@example.com`,
  full_name: `User ${i}`,
}));
const places = new Map(users.map(({ id }, i) => [id, i]));

// The total, then the twelve whole pages of 200.
const SAMPLE_REQUESTS = 13;
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
