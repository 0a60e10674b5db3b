import assert from "node:assert/strict";
import { test } from "node:test";
import { build } from "../src/api.js";
import { Unavailable } from "../src/database.js";
import { moment } from "../src/users.js";

const ID = "123e4567-e89b-12d3-a456-426614174000";
const USER = {
  id: ID,
  email: "user1@example.com",
  full_name: 'Ada "the Countess" <&> \\ \n\x01\x7f \u2028 😀 ' + "x".repeat(40),
  age: 25,
  country_code: "US",
  is_active: true,
  created_at: "2026-01-31T08:00:00Z",
};

// `answer` gives the rows, or throws.
const ask = async (url, answer = () => [], method = "GET") => {
  const app = build({ rows: async (...question) => answer(...question) });
  const reply = await app.inject({ method, url });
  await app.close();
  return reply;
};

test("moments, as PostgreSQL says them and as RFC 3339 does", () => {
  for (const [text, expected] of [
    ["2026-01-31 08:00:00+00", "2026-01-31T08:00:00Z"],
    ["2026-01-31 08:00:00.5+00", "2026-01-31T08:00:00.500000Z"],
    ["1999-12-31 23:59:59.999999+00", "1999-12-31T23:59:59.999999Z"],
    ["0001-01-01 00:00:00+00", "0001-01-01T00:00:00Z"],
    ["10000-01-01 00:00:00+00", "+010000-01-01T00:00:00Z"],
    ["294276-12-31 23:59:59.000001+00", "+294276-12-31T23:59:59.000001Z"],
    ["0001-12-31 00:00:00+00 BC", "0000-12-31T00:00:00Z"],
    ["4713-11-24 00:00:00.25+00 BC", "-004712-11-24T00:00:00.250000Z"],
    ["infinity", "infinity"],
    ["-infinity", "-infinity"],
  ])
    assert.equal(moment(text), expected);
});

test("a user: fields in their order, strings escaped as they must be and no more", async () => {
  const reply = await ask(`/users/${ID.toUpperCase()}`, () => [{ ...USER }]);
  assert.equal(reply.statusCode, 200);
  assert.match(reply.headers["content-type"], /^application\/json/);
  assert.equal(
    reply.body,
    `{"id":"${ID}","email":"user1@example.com","full_name":"Ada \\"the Countess\\" <&> \\\\ \\n\\u0001\x7f \u2028 😀 ${"x".repeat(40)}",` +
      '"age":25,"country_code":"US","is_active":true,"created_at":"2026-01-31T08:00:00Z"}',
  );
});

test("NULL is null", async () => {
  const nothing = Object.fromEntries(Object.keys(USER).map((name) => [name, null]));
  const reply = await ask(`/users/${ID}`, () => [nothing]);
  assert.deepEqual(reply.json(), nothing);
});

test("a page: its numbers are exact, past the end it is empty", async () => {
  const seen = [];
  const reply = await ask("/users?offset=9223372036854775807&limit=007", (text, parameters) => {
    seen.push(...parameters);
    return [{ ...USER, id: null, total: 10000 }];
  });
  assert.equal(reply.body, '{"items":[],"limit":7,"offset":9223372036854775807,"total":10000}');
  assert.deepEqual(seen, [7n, 9223372036854775807n]);
});

test("errors are the contract's", async () => {
  const failing = (error) => () => {
    throw error;
  };
  const broken = Object.assign(new Error("no such column"), { code: "42703", severity: "ERROR" });
  for (const [url, status, body, answer, method] of [
    [`/users/${ID}`, 404, "not_found"],
    ["/users/%ff", 400, "invalid_id"],
    ["/users/%00", 400, "invalid_id"],
    [`/users/${"x".repeat(5000)}`, 400, "invalid_id"],
    ["/users/%4", 400, "invalid_escape"],
    ["/nothing?%", 400, "invalid_escape"],
    ["/%ff", 404, "not_found"],
    ["/users/%ff", 405, "method_not_allowed", undefined, "POST"],
    ["/users/x", 405, "method_not_allowed", undefined, "DELETE"],
    ["/users/", 404, "not_found"],
    ["/users/x/", 404, "not_found"],
    [`/users/${ID}`, 503, "unavailable", failing(new Unavailable("deadline"))],
    [`/users/${ID}`, 500, "internal", failing(broken)],
    ["/readyz", 503, "unavailable", failing(broken)],
  ]) {
    const reply = await ask(url, answer, method);
    assert.deepEqual([reply.statusCode, reply.body], [status, `{"error":"${body}"}`], `${method ?? "GET"} ${url}`);
    assert.equal(reply.headers["retry-after"], status === 503 ? "1" : undefined);
    assert.equal(reply.headers.allow, status === 405 ? "GET, HEAD" : undefined);
  }
});

test("a body that nobody asked for does no harm", async () => {
  const app = build({ rows: async () => [] });
  for (const type of ["application/json", "text/plain", "x/y"])
    assert.equal((await app.inject({ method: "POST", url: "/users", headers: { "content-type": type }, payload: "{" })).statusCode, 405);
  await app.close();
});
