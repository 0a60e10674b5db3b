create table links (
  code text primary key,
  target text not null,
  made_at timestamptz not null default now()
);

create table visits (
  code text not null references links,
  day date not null,
  count bigint not null,
  primary key (code, day)
);
