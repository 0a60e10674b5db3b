// The authority of an http URI, which is what Host holds too: host and port, as bytes (RFC 3986,
// 3.2; RFC 9110, 4.2.1 and 7.2). Nothing is resolved: a name may be any that the grammar has.
#pragma once

#include <string_view>

namespace ringpost::proto::http {

// uri-host [ ":" port ], with a host that is not empty.
bool is_authority(std::string_view text);

}  // namespace ringpost::proto::http
