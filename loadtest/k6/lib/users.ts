// The requests, and the checks that read what came back.
import { check, fail, randomSeed, sleep } from "k6";
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
// Up to 10,000 users, as many as the harness asks for: pages of the table, spread evenly over it. Each virtual user has a copy,
// so a page is one text, which is read fast and takes little: an id, a blank and an address, `width` characters a user.
export interface Sample {
  total: number;
  width: number;
  pages: { offset: number; users: string }[];
}

type Answer = RefinedResponse<ResponseType | undefined>;

const SAMPLE_PAGES = 50;
const LEAST_PAGES = 5;
const SAMPLE_LIMIT = 200;
const PAGE_LIMIT = 50;
const ID_LENGTH = 36;

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
  const count = Math.min(SAMPLE_PAGES, Math.floor(total / SAMPLE_LIMIT));
  if (count < LEAST_PAGES) fail(`the table has ${total} users, the scenarios need ${LEAST_PAGES * SAMPLE_LIMIT}: seed it`);
  const pages = Array.from({ length: count }, (_, i) => {
    const offset = Math.floor(((total - SAMPLE_LIMIT) * i) / (count - 1));
    return { offset, users: read(offset).items.map(({ id, email }) => `${id} ${email}`) };
  });
  const width = Math.max(...pages.map(({ users }) => Math.max(...users.map((user) => user.length))));
  return {
    total,
    width,
    pages: pages.map(({ offset, users }) => ({ offset, users: users.map((user) => user.padEnd(width)).join("") })),
  };
}

function userAt({ width }: Sample, users: string, i: number): User {
  const user = users.slice(i * width, (i + 1) * width);
  return { id: user.slice(0, ID_LENGTH), email: user.slice(ID_LENGTH + 1).trimEnd() };
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
  const { id, email } = userAt(sample, pick(sample.pages).users, Math.floor(Math.random() * SAMPLE_LIMIT));
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
  const skip = Math.floor(Math.random() * (SAMPLE_LIMIT - PAGE_LIMIT + 1));
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
        page.items.every((user, i) => {
          const { id, email } = userAt(sample, users, skip + i);
          return user.id === id && user.email === email;
        }),
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
