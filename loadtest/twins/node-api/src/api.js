// The routes, and errors as the contract words them.
import Fastify from "fastify";
import { Unavailable } from "./database.js";
import { FIND, LIST, PING, schemas, toPage } from "./users.js";

const REQUEST_DEADLINE_MS = 2000;
const READY_DEADLINE_MS = 1000;
const IDLE_MS = 75_000;
const JSON_TYPE = "application/json";
const OK = '{"status":"ok"}';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const BAD_ESCAPE = /%(?![0-9a-f]{2})/i;
const PATHS = /^\/(healthz|readyz|users(\/[^/]+)?)$/;
const MOST_OFFSET = 2n ** 63n - 1n;

const say = (reply, status, body) => reply.code(status).type(JSON_TYPE).send(body);
const refuse = (reply, status, error) => say(reply, status, `{"error":"${error}"}`);
const unavailable = (reply) => refuse(reply.header("Retry-After", "1"), 503, "unavailable");

// A parameter that is there twice is an array; without a value it is empty.
function number(text, otherwise, least, most) {
  if (text === undefined) return otherwise;
  if (typeof text !== "string" || !/^0*[0-9]{1,19}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >= least && value <= most ? value : undefined;
}

// No route has such a path and method.
function other(request, reply) {
  // `%ff` is no text, but a path all the same: each byte is taken for a character.
  const path = request.raw.url.split("?", 1)[0].replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number(`0x${code.slice(1)}`)));
  if (!PATHS.test(path)) return refuse(reply, 404, "not_found");
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(reply.header("Allow", "GET, HEAD"), 405, "method_not_allowed");
  return refuse(reply, 400, "invalid_id");
}

export function build(database) {
  const app = Fastify({
    keepAliveTimeout: IDLE_MS,
    requestTimeout: 30_000,
    forceCloseConnections: "idle",
    return503OnClosing: false, // who has a connection is answered until the end
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: (error, request, reply) =>
      BAD_ESCAPE.test(request.raw.url) ? refuse(reply, 400, "invalid_escape") : other(request, reply),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_, body, done) => {
    body.resume(); // no route reads one
    done(null);
  });

  app.addHook("onRequest", (request, reply, next) => {
    const { url } = request.raw;
    if (url.includes("%") && BAD_ESCAPE.test(url)) refuse(reply, 400, "invalid_escape");
    else next();
  });
  app.setNotFoundHandler(other);
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof Unavailable) return unavailable(reply);
    if (error.statusCode < 500) return refuse(reply, error.statusCode, "bad_request");
    console.error(JSON.stringify({ event: "failed", path: request.url, sqlstate: error.code, why: error.message }));
    return refuse(reply, 500, "internal");
  });

  app.get("/healthz", (_, reply) => say(reply, 200, OK));
  app.get("/readyz", async (_, reply) => {
    try {
      await database.rows(PING, [], READY_DEADLINE_MS);
    } catch {
      return unavailable(reply);
    }
    return say(reply, 200, OK);
  });
  app.get("/users/:id", { schema: { response: { 200: schemas.user } } }, async (request, reply) => {
    const { id } = request.params;
    if (!UUID.test(id)) return id ? refuse(reply, 400, "invalid_id") : refuse(reply, 404, "not_found");
    const rows = await database.rows(FIND, [id], REQUEST_DEADLINE_MS);
    return rows.length > 0 ? rows[0] : refuse(reply, 404, "not_found");
  });
  app.get("/users", { schema: { response: { 200: schemas.page } } }, async (request, reply) => {
    const limit = number(request.query.limit, 50n, 1n, 200n);
    if (limit === undefined) return refuse(reply, 400, "invalid_limit");
    const offset = number(request.query.offset, 0n, 0n, MOST_OFFSET);
    if (offset === undefined) return refuse(reply, 400, "invalid_offset");
    return toPage(await database.rows(LIST, [limit, offset], REQUEST_DEADLINE_MS), limit, offset);
  });
  return app;
}
