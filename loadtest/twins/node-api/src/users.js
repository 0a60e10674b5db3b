// Users: the statements that read them, and how they are written as JSON.

// The same text as in the other contenders.
export const FIND = "select id, email, full_name, age, country_code, is_active, created_at from users where id = $1";
export const LIST =
  "select page.id, page.email, page.full_name, page.age, page.country_code, page.is_active, page.created_at, counted.total " +
  "from (select count(*) as total from users) as counted left join (select id, email, full_name, age, country_code, is_active, " +
  "created_at from users order by id limit $1 offset $2) as page on true order by page.id";
export const PING = "select 1";

// PostgreSQL's text of a timestamptz where TimeZone is UTC and DateStyle ISO.
const MOMENT = /^(\d{4,})(-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?\+00( BC)?$/;

// RFC 3339, with six digits of a fraction or none; years that it can't say as ISO 8601's expanded ones. PostgreSQL's infinite
// moments stay as they are. Dates by JavaScript have three digits.
export function moment(text) {
  // All but a few: "2026-01-31 08:00:00+00" and "2026-01-31 08:00:00.123456+00".
  if (text.charCodeAt(4) === 45) {
    if (text.length === 22) return `${text.slice(0, 10)}T${text.slice(11, 19)}Z`;
    if (text.length === 29 && text.charCodeAt(19) === 46) return `${text.slice(0, 10)}T${text.slice(11, 26)}Z`;
  }
  const found = MOMENT.exec(text);
  if (!found) return text;
  const [, digits, day, time, fraction, before] = found;
  // 1 BC is the year 0.
  const year = before ? 1 - Number(digits) : Number(digits);
  const said = year >= 0 && year <= 9999 ? String(year).padStart(4, "0") : `${year < 0 ? "-" : "+"}${String(Math.abs(year)).padStart(6, "0")}`;
  return `${said}${day}T${time}${fraction ? fraction.padEnd(7, "0") : ""}Z`;
}

// Of those marked unsafe the serializer need not look for what must be escaped: digits, letters and signs alone.
const text = { type: "string", nullable: true };
const plain = { type: "string", format: "unsafe", nullable: true };
const user = {
  type: "object",
  properties: {
    id: plain,
    email: text,
    full_name: text,
    age: { type: "integer", nullable: true },
    country_code: text,
    is_active: { type: "boolean", nullable: true },
    created_at: plain,
  },
};
const page = {
  type: "object",
  properties: { items: { type: "array", items: user }, limit: { type: "integer" }, offset: { type: "integer" }, total: { type: "integer" } },
};
export const schemas = { user, page };

// The total stands in each row; a page past the end is one row without a user: its id is null.
export function toPage(rows, limit, offset) {
  return { items: rows[0].id === null ? [] : rows, limit, offset, total: rows[0].total };
}
