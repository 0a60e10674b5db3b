// Listening sockets: made here, or by another process that has handed them over.
#pragma once

#include "src/io/address.h"
#include "src/io/error.h"

namespace ringpost::io {

// A bound and listening TCP socket with SO_REUSEPORT, TCP_NODELAY and a bounded send buffer, which
// accepted sockets inherit. An IPv6 one takes IPv4 as well. The caller owns it. One a shard: the
// kernel spreads connections over them.
Result<int> listen_tcp(const Address& address, int backlog);

// A listening UNIX socket of that type (SOCK_STREAM, SOCK_SEQPACKET). A file at its path whose
// socket nobody listens on any more is replaced, at once with the right `mode`; EADDRINUSE when
// somebody does, EEXIST when it is no socket. The caller owns the descriptor, and the file.
Result<int> listen_unix(const Address& address, int type, mode_t mode, int backlog);

// Prepares a listening socket that another process has made for accepting here: non-blocking, and
// with the options that accepted sockets inherit. Its address, or why it is none: not a socket, no
// stream, not listening, of a family that is not served.
Result<Address> adopt_listening(int fd);

}  // namespace ringpost::io
