#include "proto/pg/backend.h"

namespace ringpost::proto::pg {

namespace {

struct Known {
  char type;
  const char* name;
  int32_t longest;  // of the length field
};

constexpr int32_t any = longest_message, short_text = 64 * 1024;

constexpr Known known[] = {
    {'R', "AuthenticationRequest", short_text},
    {'K', "BackendKeyData", 4 + 4 + 256},
    {'2', "BindComplete", 4},
    {'3', "CloseComplete", 4},
    {'C', "CommandComplete", 1024},
    {'d', "CopyData", any},
    {'c', "CopyDone", 4},
    {'G', "CopyInResponse", short_text},
    {'H', "CopyOutResponse", short_text},
    {'W', "CopyBothResponse", short_text},
    {'D', "DataRow", any},
    {'I', "EmptyQueryResponse", 4},
    {'E', "ErrorResponse", any},
    {'V', "FunctionCallResponse", any},
    {'v', "NegotiateProtocolVersion", short_text},
    {'n', "NoData", 4},
    {'N', "NoticeResponse", any},
    {'A', "NotificationResponse", any},
    {'t', "ParameterDescription", 4 + 2 + 4 * 65535},
    {'S', "ParameterStatus", any},
    {'1', "ParseComplete", 4},
    {'s', "PortalSuspended", 4},
    {'Z', "ReadyForQuery", 5},
    {'T', "RowDescription", any},
};

const Known* find(char type) {
  for (const Known& one : known)
    if (one.type == type) return &one;
  return nullptr;
}

// The longest length field of each type; 0 for what no backend sends.
struct Longest {
  int32_t of[256] = {};
  constexpr Longest() {
    for (const Known& one : known) of[static_cast<uint8_t>(one.type)] = one.longest;
  }
};
constexpr Longest longest;

}  // namespace

wire::Parse next_message(std::string_view input, Message& message) {
  if (input.empty()) return wire::Parse::partial;
  message = {.type = input[0], .body = {}, .size = 0};
  const int32_t most = longest.of[static_cast<uint8_t>(input[0])];
  if (most == 0) return wire::Parse::invalid;
  if (input.size() < 5) return wire::Parse::partial;
  const auto length = wire::load_big_endian<int32_t>(input.data() + 1);
  if (length < 4 || length > most) return wire::Parse::invalid;
  message.size = 1 + static_cast<size_t>(length);
  if (input.size() < message.size) return wire::Parse::partial;
  message.body = input.substr(5, message.size - 5);
  return wire::Parse::complete;
}

std::string message_name(char type) {
  if (const Known* one = find(type)) return std::string(one->name);
  return "a message of the unknown type " + std::to_string(static_cast<uint8_t>(type));
}

std::optional<BackendKeyData> decode_backend_key_data(std::string_view body) {
  wire::Reader reader(body);
  BackendKeyData key;
  key.process_id = reader.integer<int32_t>();
  if (!reader.ok() || reader.remaining() < 4) return std::nullopt;
  key.secret_key = reader.bytes(reader.remaining());
  return key;
}

std::optional<ParameterStatus> decode_parameter_status(std::string_view body) {
  wire::Reader reader(body);
  ParameterStatus status;
  status.name = reader.string();
  status.value = reader.string();
  if (!reader.finished()) return std::nullopt;
  return status;
}

}  // namespace ringpost::proto::pg
