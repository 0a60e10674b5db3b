// The requests, and the checks that read what came back.
import { check, fail, randomSeed, sleep } from "k6";
import { md5 } from "k6/crypto";
import http from "k6/http";
import type { RefinedParams, RefinedResponse, ResponseType } from "k6/http";
import { Counter } from "k6/metrics";
import { baseUrl } from "./settings.ts";

interface User {
  id: string;
  email: string;
}
interface Page {
  items: User[];
  limit: number;
  offset: number;
  total: number;
}
// How many users there are, and some pages of them, spread evenly over the table. Each virtual user reads a copy as it starts, while
// others are measured already: so it is small, and who has which id follows from a number.
export interface Sample {
  total: number;
  pages: { offset: number; users: User[] }[];
}

type Answer = RefinedResponse<ResponseType | undefined>;

const SAMPLE_PAGES = 5;
const SAMPLE_LIMIT = 200;
const PAGE_LIMIT = 50;

// The namespace of the ids, by db/seed/users.sql.
const NAMESPACE = [0x5e, 0xed, 0xf0, 0x0d, 0x13, 0x57, 0x4a, 0xce, 0x8b, 0xad, 0xc0, 0xff, 0xee, 0x12, 0x34, 0x56];

// The user of a number: the id is the version 3 UUID (RFC 9562, MD5) of its decimal digits.
function userOf(number: number): User {
  const digits = String(number);
  const name = new Uint8Array(NAMESPACE.length + digits.length);
  name.set(NAMESPACE);
  for (let i = 0; i < digits.length; i += 1) name[NAMESPACE.length + i] = digits.charCodeAt(i);
  const hash = md5(name.buffer, "hex");
  const variant = ((parseInt(hash.charAt(16), 16) & 3) | 8).toString(16);
  return {
    id: `${hash.slice(0, 8)}-${hash.slice(8, 12)}-3${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20)}`,
    email: `user${number}@example.com`,
  };
}

const unanswered = new Counter("errors_unanswered");
const refused = new Counter("errors_status");
const wrong = new Counter("errors_body");

http.setResponseCallback(http.expectedStatuses(200));

function parse<T>(answer: Answer): Partial<T> {
  try {
    return (JSON.parse(String(answer.body)) as Partial<T> | null) ?? {};
  } catch {
    return {};
  }
}

// Tagged by endpoint, and by what counts (the load) and what does not (the sample); `name` keeps k6 from making a
// series of each URL.
function params(phase: "setup" | "load", endpoint: "user" | "page", name: string): RefinedParams<"text"> {
  return { responseType: "text", timeout: "5s", tags: { phase, endpoint: phase === "load" ? endpoint : phase, name } };
}
const setupParams = params("setup", "page", "GET /users");
const userParams = params("load", "user", "GET /users/{id}");
const pageParams = params("load", "page", "GET /users");

// Reads the sample from the service itself, and stops the run when it is not the service that was meant.
export function setup(): Sample {
  const read = (offset: number): Page => {
    const url = `${baseUrl}/users?limit=${SAMPLE_LIMIT}&offset=${offset}`;
    const answer = http.get(url, setupParams);
    const page = parse<Page>(answer);
    if (answer.status !== 200 || !page.items || page.total === undefined)
      fail(`GET ${url} answered ${answer.status} ${answer.error}: is the service up, and the table seeded?`);
    return page as Page;
  };
  const { total } = read(0);
  if (total < SAMPLE_PAGES * SAMPLE_LIMIT)
    fail(`the table has ${total} users, the scenarios need ${SAMPLE_PAGES * SAMPLE_LIMIT}: seed it`);
  const last = userOf(total);
  if (http.get(`${baseUrl}/users/${last.id}`, setupParams).status === 404)
    fail(`user ${total}, ${last.id}, is not in the table: its users have to be those of db/seed`);
  const pages = Array.from({ length: SAMPLE_PAGES }, (_, i) => {
    const offset = Math.floor(((total - SAMPLE_LIMIT) * i) / (SAMPLE_PAGES - 1));
    return { offset, users: read(offset).items.map(({ id, email }) => ({ id, email })) };
  });
  return { total, pages };
}

function pick<T>(from: T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}

// So that each contender is asked for the same users in the same order.
export function seed(): void {
  if (__ITER === 0) randomSeed(__VU);
}

// Which of the counters an answer belongs to, if any.
function count(answer: Answer, right: boolean): void {
  if (answer.status === 0) unanswered.add(1, { kind: String(answer.error_code) });
  else if (answer.status !== 200) refused.add(1, { kind: String(answer.status) });
  else if (!right) wrong.add(1);
}

export function askForUser(sample: Sample): void {
  const { id, email } = userOf(1 + Math.floor(Math.random() * sample.total));
  const answer = http.get(`${baseUrl}/users/${id}`, userParams);
  const user = parse<User>(answer);
  const right = check(
    answer,
    {
      "user: status is 200": (answer) => answer.status === 200,
      "user: it is the one asked for": () => user.id === id && user.email === email,
    },
    { endpoint: "user" },
  );
  count(answer, right);
}

export function askForPage(sample: Sample): void {
  const { offset: start, users } = pick(sample.pages);
  const skip = Math.floor(Math.random() * (users.length - PAGE_LIMIT + 1));
  const offset = start + skip;
  const answer = http.get(`${baseUrl}/users?limit=${PAGE_LIMIT}&offset=${offset}`, pageParams);
  const page = parse<Page>(answer);
  const right = check(
    answer,
    {
      "page: status is 200": (answer) => answer.status === 200,
      "page: it says what was asked for": () => page.limit === PAGE_LIMIT && page.offset === offset,
      "page: the total is right": () => page.total === sample.total,
      "page: its users are those asked for, in order": () =>
        page.items?.length === PAGE_LIMIT &&
        page.items.every((user, i) => user.id === users[skip + i]?.id && user.email === users[skip + i]?.email),
    },
    { endpoint: "page" },
  );
  count(answer, right);
}

// As the harness's users think (THINK_MS in harness/comparison.py, delay() in harness/wrk.lua): 95 ms, as the original's figures
// imply (104 to 107 requests/s of 10 users, 1054 to 1070 of 100), between half and one and a half of it, so that they do not
// march in step.
const THINK_S = 0.095;

export function think(): void {
  sleep(THINK_S * (0.5 + Math.random()));
}
