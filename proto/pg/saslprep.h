// SASLprep: how a password is written before it is hashed (RFC 4013), so that the same characters
// typed elsewhere are the same.
//
// As PostgreSQL does it: a password that is not UTF-8, or that has a character in it that SASLprep
// prohibits, is used as it is.
#pragma once

#include <string>
#include <string_view>

namespace ringpost::proto::pg {

std::string saslprep(std::string_view password);

}  // namespace ringpost::proto::pg
