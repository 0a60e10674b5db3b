-- The one table of the API. Pages are read in the order of the primary key.
create table users (
  id uuid primary key,
  email text not null unique,
  full_name text not null,
  age int not null,
  country_code char(2) not null,
  is_active bool not null,
  created_at timestamptz not null
);
