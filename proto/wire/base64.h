// Base64 with padding (RFC 4648, 4), as SCRAM writes salts, proofs and signatures.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringpost::proto::wire {

std::string encode_base64(std::string_view bytes);

// Strict: whole groups of four, padding at the end alone, no unused bits set.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace ringpost::proto::wire
