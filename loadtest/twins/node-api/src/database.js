// The statements' way to PostgreSQL: postgres.js, with what it lacks: a deadline for each, another try where that is right, and new
// connections when the old ones have fallen silent.
import postgres from "postgres";
import { moment, PING } from "./users.js";

// PostgreSQL ends a statement itself before the deadline, so the connection stays and the answer is not late.
const STATEMENT_LIMIT_MS = 1800;
const CONNECT_LIMIT_S = 2;
const PAUSE_MS = 25;

const GAVE_WAY = new Set(["55P03", "40001", "40P01"]); // lock_timeout, conflicts: asked once more
const OUTAGE = /^(08...|57P0[1-3]|53300|57014|CONNECTION_(CLOSED|DESTROYED|ENDED)|CONNECT_TIMEOUT|E[A-Z]+)$/;

// The database could not be asked, or not within the deadline.
export class Unavailable extends Error {}

export class Database {
  #settings;
  #sql;
  #answered = 0; // when PostgreSQL last said anything, by performance.now()

  constructor(settings) {
    this.#settings = settings;
    this.#sql = this.#connect();
  }

  #connect() {
    const { url, options, most, applicationName } = this.#settings;
    return postgres(url, {
      ...options,
      max: most,
      connect_timeout: CONNECT_LIMIT_S,
      max_lifetime: null,
      backoff: (failures) => Math.min(0.025 * 2 ** failures, 0.25), // seconds
      fetch_types: false, // of arrays, and there are none
      onnotice: () => {},
      connection: { application_name: applicationName, TimeZone: "UTC", DateStyle: "ISO", statement_timeout: STATEMENT_LIMIT_MS },
      types: {
        date: { to: 1184, from: [1184], serialize: String, parse: moment },
        count: { to: 20, from: [20], serialize: String, parse: Number },
      },
    });
  }

  // Opens the least number of connections: as many queries at once take one each. Does not fail when PostgreSQL is away.
  async open() {
    await Promise.allSettled(Array.from({ length: this.#settings.least }, () => this.#ask(PING, [], CONNECT_LIMIT_S * 1000)));
  }

  close() {
    return this.#sql.end({ timeout: 5 });
  }

  // The rows, or Unavailable, or PostgreSQL's error when that is no outage. One whose connection was lost is asked until the deadline:
  // a read may be.
  async rows(text, parameters, limitMs) {
    const end = performance.now() + limitMs;
    for (let gaveWay = false; ; ) {
      try {
        return await this.#ask(text, parameters, end - performance.now());
      } catch (error) {
        const again = GAVE_WAY.has(error.code) && !gaveWay;
        if (!again && !GAVE_WAY.has(error.code) && !OUTAGE.test(error.code)) throw error;
        if ((GAVE_WAY.has(error.code) && !again) || performance.now() + PAUSE_MS >= end) throw new Unavailable(error.code);
        gaveWay ||= again;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  #ask(text, parameters, limitMs) {
    return new Promise((resolve, reject) => {
      const sql = this.#sql;
      const asked = performance.now();
      const timer = setTimeout(() => {
        if (this.#answered < asked) this.#replace(sql);
        reject(new Unavailable("deadline"));
      }, limitMs);
      sql.unsafe(text, parameters, { prepare: true }).then(
        (rows) => {
          clearTimeout(timer);
          this.#answered = performance.now();
          resolve(rows);
        },
        (error) => {
          clearTimeout(timer);
          if (error.severity) this.#answered = performance.now();
          reject(error);
        },
      );
    });
  }

  // Nothing was heard for a whole deadline: what waits on these connections is told so, and others are made.
  #replace(silent) {
    if (silent !== this.#sql) return;
    this.#sql = this.#connect();
    silent.end({ timeout: 0 });
  }
}
