#include "src/io/error.h"

#include <system_error>

#include <netdb.h>

#include "src/io/tls_reason.h"

namespace ringpost::io {

std::string Error::message() const {
  std::string text(doing);
  if (!text.empty()) text += ": ";
  switch (kind) {
    case Kind::timed_out:
      return text + "timed out";
    case Kind::cancelled:
      return text + "cancelled";
    case Kind::closed:
      return text + "closed by the peer";
    case Kind::system:
      return text + std::generic_category().message(code);
    case Kind::resolve:
      return text + gai_strerror(code);
    case Kind::tls:
      return text + tls_reason(code);
    case Kind::busy:
      return text + "too many wait already";
  }
  return text;
}

}  // namespace ringpost::io
