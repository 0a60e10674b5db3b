// The settings, from the environment. What is wrong is one line that begins with the variable's name.
import os from "node:os";

export const NAME = "node-api"; // and PostgreSQL's application_name, unless the URL or PGAPPNAME has another

const LIBPQ = { dbname: "database", user: "username" };
// One `word = value` of libpq's keyword form; a value with blanks stands in single quotes.
const WORD = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^'\s\\]|\\.)*))(?=\s|$)/y;

// The arguments of postgres(): a URI or null, and options. It reads PGHOST and its kin itself.
function connection(text) {
  if (!text) return [null, {}];
  if (/^postgres(ql)?:\/\//.test(text)) {
    const parameters = new URLSearchParams(text.split("?")[1]);
    // A socket's folder stands in a parameter, where postgres.js does not look.
    return [text, Object.fromEntries(["host", "port"].flatMap((word) => (parameters.has(word) ? [[word, parameters.get(word)]] : [])))];
  }
  const options = {};
  for (WORD.lastIndex = 0; WORD.lastIndex < text.trimEnd().length; ) {
    const word = WORD.exec(text);
    if (!word) throw new Error("DATABASE_URL is neither a postgresql:// URI nor words like host=127.0.0.1 dbname=users");
    options[LIBPQ[word[1]] ?? word[1]] = (word[2] ?? word[3]).replace(/\\(.)/g, "$1");
  }
  if (options.sslmode === "disable") options.ssl = false;
  return [null, options];
}

export function read(environment = process.env) {
  const number = (name, otherwise, least, most = 65535) => {
    const text = environment[name] || String(otherwise);
    if (!/^\d{1,5}$/.test(text) || Number(text) < least || Number(text) > most)
      throw new Error(`${name} is '${text}'; set it to a number from ${least} to ${most}`);
    return Number(text);
  };
  const most = number("DB_MAX_CONNS", 16, 1);
  const [url, options] = connection(environment.DATABASE_URL);
  return {
    port: number("PORT", 8080, 1),
    // No more than there are connections: each needs one.
    workers: Math.min(number("WEB_CONCURRENCY", os.availableParallelism(), 1, 256), most),
    most,
    least: Math.min(number("DB_MIN_CONNS", 1, 0), most),
    url,
    options,
    applicationName: options.application_name || environment.PGAPPNAME || NAME,
  };
}

// A worker's part of the connections: those of all workers together are the service's.
export function share(settings, index) {
  const part = (total) => Math.floor(total / settings.workers) + (index < total % settings.workers ? 1 : 0);
  return { ...settings, most: part(settings.most), least: part(settings.least) };
}
