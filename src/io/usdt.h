// Probes that bpftrace, perf and SystemTap can attach to while the server runs, as provider
// `ringpost` (docs/operations.md): a nop each, whose arguments are where they are anyway, and a
// note in the file that says where. Built where <sys/sdt.h> of SystemTap is found (meson's option
// usdt): else they are nothing.
//
//     accept    connection's descriptor
//     parsed    session, number of the request in it, target and its length
//     sent      query, name of its statement and its length
//     row       query, bytes of all its rows
//     answered  session, number of the request in it, status, nanoseconds since it had come
#pragma once

#if defined(RINGPOST_USDT)
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define RINGPOST_PROBE(name, ...) STAP_PROBEV(ringpost, name __VA_OPT__(, ) __VA_ARGS__)
#else
#define RINGPOST_PROBE(name, ...) static_cast<void>(0)
#endif
