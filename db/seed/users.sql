-- Users 1 to :rows, the same on every machine, in every time zone and PostgreSQL release: no random(), no now().
--
-- The id of user N is RFC 9562's version 3 UUID (MD5) of the decimal N in the namespace below; in Python:
--     uuid.uuid3(uuid.UUID('5eedf00d-1357-4ace-8bad-c0ffee123456'), str(n))
-- User 1 is the contract's example. Users 11 and on have the names that need care, users 61 and on the
-- numbers, users 71 and on the moments. Every fourth user's created_at has six fractional digits, every
-- fourth three, the others none.
--
-- Repeatable. Users that an earlier run made beyond :rows are removed; rows that this file did not make stay.
set client_min_messages = warning;
set timezone = 'UTC';
set standard_conforming_strings = on;

create function pg_temp.seed_id(n bigint) returns uuid language sql immutable as $$
  select overlay(
           overlay(hash placing '3' from 13 for 1)
           placing to_hex((('x' || substr(hash, 17, 1))::bit(4)::int & 3) | 8) from 17 for 1)::uuid
  from md5(decode('5eedf00d13574ace8badc0ffee123456', 'hex') || convert_to(n::text, 'UTF8')) hash
$$;

select count(*) = :rows
         and (:rows = 0 or count(*) filter (where id = pg_temp.seed_id(:rows)) = 1) as seeded
from users \gset
\if :seeded
\quit
\endif

create temporary table special_name as
select ordinality + 10 as n, name
from unnest(array[
  'Ada "the Countess" Lovelace',
  'O''Brien; drop table users; --',
  'C:\Users\back\slash\\ \" \n \u0041',
  E'bell \x07 backspace \b tab \t newline \n return \r form feed \f escape \x1b unit \x1f',
  E'\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10',
  E'\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f',
  'José Ángel Núñez Ærøskøbing Straße Łódź Žižek',
  E'combining: e\u0301 n\u0303 a\u0308 o\u0302\u0323 Z\u0351\u036B\u0343',
  '山田太郎 李小龍 김철수',
  E'rare Han: \U00020BB7野家 \U0002A6A5',
  E'emoji: \U0001F600 \U0001F1E9\U0001F1EA \U0001F44D\U0001F3FD \U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466',
  E'\u05D9\u05E2\u05E7\u05D1 \u05DB\u05D4\u05DF (right to left)',
  E'\u0645\u062D\u0645\u062F \u0628\u0646 \u200F123\u200F',
  E'\u202Eoverride\u202C \u2066isolate\u2069',
  E'line \u2028 paragraph \u2029 next \u0085 no-break \u00A0 bom \uFEFF',
  E'edges: \u007F \u0080 \u07FF \u0800 \uD7FF \uE000 \uFFFD \uFFFF \U00010000 \U0010FFFF',
  '</script><!-- & -->',
  '{"json":"in a \"name\"","n":[1,2,null]}',
  '%00 %2F + & ? # ; /../',
  '  blanks at both ends  ',
  '',
  'x',
  'Ελένη Παπαδοπούλου Анна Каренина',
  'नमस्ते ไทย አማርኛ தமிழ்',
  repeat('long ', 200),
  repeat(E'"\\\n\x01', 64),
  repeat(E'\U0001F600', 100)
]) with ordinality as names(name, ordinality);

create temporary table special_moment as
select ordinality + 70 as n, moment
from unnest(array[
  '2000-01-01 00:00:00+00',
  '1999-12-31 23:59:59.999999+00',
  '1970-01-01 00:00:00+00',
  '1969-12-31 23:59:59.5+00',
  '2024-02-29 12:00:00.000001+00',
  '2100-02-28 23:59:59.1+00',
  '1900-03-01 00:00:00+00',
  '0001-01-01 00:00:00+00',
  '9999-12-31 23:59:59.999999+00',
  '2026-03-29 01:30:00+00'
]::timestamptz[]) with ordinality as moments(moment, ordinality);

begin;

insert into users (id, email, full_name, age, country_code, is_active, created_at)
select
  pg_temp.seed_id(n),
  'user' || n || '@example.com',
  coalesce(special_name.name, 'User ' || n),
  case n when 61 then 2147483647 when 62 then -2147483648 when 63 then 0 else 18 + n * 7 % 73 end,
  case
    when n = 64 then 'ÄÖ'
    when n % 97 = 0 then 'X'
    else (array['US', 'DE', 'FR', 'GB', 'IN', 'JP', 'BR', 'NG', 'CA', 'AU', 'PL', 'KE'])[(n - 1) % 12 + 1]
  end,
  n % 7 <> 0,
  coalesce(
    special_moment.moment,
    timestamptz '2026-01-31 08:00:00+00' - (n - 1) * interval '37 seconds'
      + case n % 4
          when 0 then n * 7919 % 1000000 * interval '1 microsecond'
          when 2 then (1 + n * 31 % 999) * interval '1 millisecond'
          else interval '0'
        end)
from generate_series(1, :rows::bigint) n
left join special_name using (n)
left join special_moment using (n)
on conflict (id) do update set
  email = excluded.email, full_name = excluded.full_name, age = excluded.age,
  country_code = excluded.country_code, is_active = excluded.is_active, created_at = excluded.created_at
where (users.email, users.full_name, users.age, users.country_code, users.is_active, users.created_at)
  is distinct from (excluded.email, excluded.full_name, excluded.age, excluded.country_code,
                    excluded.is_active, excluded.created_at);

delete from users
using (select id as number_id, substring(email from '^user([1-9][0-9]{0,17})@example\.com$')::bigint as n
       from users) numbered
where id = number_id and n > :rows and id = pg_temp.seed_id(n);

commit;

-- So that plans and visibility are the same from the first request on.
vacuum (analyze) users;
