import assert from "node:assert/strict";
import { test } from "node:test";
import { NAME, read, share } from "../src/settings.js";

test("takes a URI, a socket's folder from its parameters", () => {
  const url = "postgresql://u:p@h:1/d?application_name=x";
  assert.deepEqual([read({ DATABASE_URL: url }).url, read({ DATABASE_URL: url }).options], [url, {}]);
  assert.deepEqual(read({ DATABASE_URL: "postgresql:///d?host=/run/pg&port=5433" }).options, { host: "/run/pg", port: "5433" });
});

test("takes libpq's words", () => {
  const { url, options } = read({ DATABASE_URL: "host=h port = 5433 user='a b' password='it\\'s' dbname=d sslmode=disable" });
  assert.equal(url, null);
  const { sslmode, ...rest } = options;
  assert.deepEqual(rest, { host: "h", port: "5433", username: "a b", password: "it's", database: "d", ssl: false });
});

test("names itself", () => {
  assert.equal(read({}).applicationName, NAME);
  assert.equal(read({ PGAPPNAME: "other" }).applicationName, "other");
  assert.equal(read({ DATABASE_URL: "application_name=other" }).applicationName, "other");
});

test("says what is wrong", () => {
  for (const [name, value] of [
    ["PORT", "0"],
    ["PORT", "70000"],
    ["DB_MAX_CONNS", "x"],
    ["DB_MAX_CONNS", "0"],
    ["DB_MIN_CONNS", "-1"],
    ["WEB_CONCURRENCY", "0"],
    ["DATABASE_URL", "nonsense"],
  ])
    assert.throws(() => read({ [name]: value }), new RegExp(`^Error: ${name} is `));
});

test("the workers share one ceiling", () => {
  const settings = read({ WEB_CONCURRENCY: "4", DB_MAX_CONNS: "30", DB_MIN_CONNS: "3" });
  const parts = [0, 1, 2, 3].map((index) => share(settings, index));
  assert.deepEqual(parts.map(({ most, least }) => [most, least]), [[8, 1], [8, 1], [7, 1], [7, 0]]);
  assert.equal(read({ WEB_CONCURRENCY: "4", DB_MAX_CONNS: "2" }).workers, 2);
  assert.equal(read({ DB_MAX_CONNS: "3", DB_MIN_CONNS: "9" }).least, 3);
});
