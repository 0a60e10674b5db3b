"""What is measured: the rows of each axis. All but the one thing that an axis varies is as in USUAL: 10,000 users, 64 clients that each
wait for their answer, lookups by random id, a shard a CPU, ten connections a shard."""
import dataclasses
import os

CPUS = len(os.sched_getaffinity(0))
SMALL = 10_000                 # rows of the usual table
MAX_CONNECTIONS = 120          # of PostgreSQL: 100 for the server, some for its own and for who looks
SHARES = 0.01, 0.10, 0.25, 0.50, 0.75, 0.90, 1.00
MIXED_SHARES = 0.10, 0.25, 0.50, 0.75, 0.90
PAGES, PAGE = 0.2, 20          # of a mixed load: the share of pages, and their size
OPEN_CONNECTIONS = 128         # of an open load: more than are ever busy where the server keeps up


@dataclasses.dataclass(frozen=True)
class Row:
    """`load`: closed, capacity (closed too), open (by the clock, at `value` of the capacity), mixed (the same with pages
    among the lookups, of their own capacity; and the lookups alone), idle (none)."""
    axis: str
    value: float
    load: str = "closed"
    clients: int = 64
    users: int = SMALL
    limit: int = 0             # of a page; 0: one user by id
    pages: float = 0           # the share of them among lookups
    deep: bool = False         # the page lies at nine tenths of the table
    shards: int = CPUS
    connections: int = 10 * CPUS


@dataclasses.dataclass(frozen=True)
class Effort:
    rounds: int
    seconds: int               # of a load
    warm_up_s: int
    idle_s: int                # that CPU time is watched without a request
    clients: tuple
    users: tuple
    limits: tuple
    connections: tuple
    shards: tuple
    shares: tuple
    mixed: tuple               # shares too
    idle: tuple


FULL = Effort(rounds=5, seconds=4, warm_up_s=1, idle_s=10, clients=(1, 8, 16, 32, 64, 256, 1000, 4000, 10_000),
              users=(10_000, 100_000, 1_000_000, 10_000_000), limits=(1, 2, 5, 10, 20, 50, 100, 200),
              connections=(1, 2, 4, 8, 16, 32, 64, 100),
              shards=tuple(sorted({min(2 ** n, CPUS) for n in range(CPUS.bit_length() + 1)})), shares=SHARES,
              mixed=MIXED_SHARES, idle=(0, 1000, 10_000))
QUICK = Effort(rounds=1, seconds=1, warm_up_s=0, idle_s=1, clients=(1, 64), users=(10_000, 20_000), limits=(1, 200),
               connections=(1, 16), shards=tuple(sorted({1, CPUS})), shares=(0.10, 1.00), mixed=(0.10, 0.50), idle=(0, 200))


def rows(effort):
    """In the order of the first round. The capacities come before what is a share of them."""
    mixed = {"limit": PAGE, "pages": PAGES}
    found = [Row("capacity", 1, load="capacity")]
    found += [Row("load", share, load="open") for share in effort.shares]
    found.append(Row("mixed capacity", 1, load="capacity", **mixed))
    found += [Row("mixed", share, load="mixed", **mixed) for share in effort.mixed]
    found += [Row("clients", n, clients=n) for n in effort.clients]
    for n in effort.users:
        # One client: a page deep in a large table takes seconds, and its deadline is two.
        found += [Row("users", n, users=n), Row("deep", n, users=n, clients=1, limit=50, deep=True)]
    found += [Row("page", n, limit=n) for n in effort.limits]
    # One shard, since each has one connection at least.
    found += [Row("connections", n, shards=1, connections=n) for n in effort.connections]
    found += [Row("shards", n, shards=n, connections=10 * n) for n in effort.shards]
    found += [Row("idle", n, load="idle", clients=n) for n in effort.idle]
    return found
