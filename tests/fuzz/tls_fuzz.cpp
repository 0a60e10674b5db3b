// Invariant: whatever a peer sends that does not know how to shake hands, no plain text comes of
// it, what is taken is taken whole, and a failure has its reason. Input: the size of the pieces, a
// byte, and what the peer sends.
#include <algorithm>
#include <cstdlib>

#include <openssl/ssl.h>

#include "src/io/peer_certificate.h"
#include "src/io/tls.h"
#include "tests/support/pg_messages.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost;
  if (size == 0) return 0;
  static const auto context = io::TlsContext::make({.alpn = "postgresql"}).value();
  const size_t piece = size_t{data[0]} + 1;
  const tests::Exact input({reinterpret_cast<const char*>(data) + 1, size - 1});

  io::Tls tls(context, "peer", "db.example");
  proto::wire::Buffer plain, wire;
  require(tls.begin(wire) == io::Tls::State::handshaking && !wire.empty());
  for (size_t at = 0; at < input.view().size() && !tls.over(); at += piece)
    tls.take(input.view().substr(at, piece), plain, wire);
  require(plain.empty() && tls.state() != io::Tls::State::open);
  tls.cut_off();
  require(tls.over() && !tls.error().message().empty());

  // A name that fits has as many labels as the host.
  const std::string_view name = input.view().substr(0, input.view().find('\0'));
  if (io::name_fits(name, "db.example")) require(std::count(name.begin(), name.end(), '.') == 1);
  return 0;
}
