#include "proto/pg/backend.h"

namespace ringpost::proto::pg {

namespace {

using Type = BackendMessage;

struct Known {
  Type type;
  const char* name;
  int32_t longest;  // of the length field
};

constexpr int32_t any = longest_message, short_text = 64 * 1024;

constexpr Known known[] = {
    {Type::AuthenticationRequest, "AuthenticationRequest", short_text},
    {Type::BackendKeyData, "BackendKeyData", 4 + 4 + 256},
    {Type::BindComplete, "BindComplete", 4},
    {Type::CloseComplete, "CloseComplete", 4},
    {Type::CommandComplete, "CommandComplete", 1024},
    {Type::CopyData, "CopyData", any},
    {Type::CopyDone, "CopyDone", 4},
    {Type::CopyInResponse, "CopyInResponse", short_text},
    {Type::CopyOutResponse, "CopyOutResponse", short_text},
    {Type::CopyBothResponse, "CopyBothResponse", short_text},
    {Type::DataRow, "DataRow", any},
    {Type::EmptyQueryResponse, "EmptyQueryResponse", 4},
    {Type::ErrorResponse, "ErrorResponse", any},
    {Type::FunctionCallResponse, "FunctionCallResponse", any},
    {Type::NegotiateProtocolVersion, "NegotiateProtocolVersion", short_text},
    {Type::NoData, "NoData", 4},
    {Type::NoticeResponse, "NoticeResponse", any},
    {Type::NotificationResponse, "NotificationResponse", any},
    {Type::ParameterDescription, "ParameterDescription", 4 + 2 + 4 * 65535},
    {Type::ParameterStatus, "ParameterStatus", any},
    {Type::ParseComplete, "ParseComplete", 4},
    {Type::PortalSuspended, "PortalSuspended", 4},
    {Type::ReadyForQuery, "ReadyForQuery", 5},
    {Type::RowDescription, "RowDescription", any},
};

const Known* find(Type type) {
  for (const Known& one : known)
    if (one.type == type) return &one;
  return nullptr;
}

}  // namespace

namespace detail {

constinit const std::array<uint32_t, 256> lengths = [] {
  std::array<uint32_t, 256> all{};
  for (const Known& one : known)
    all[static_cast<uint8_t>(one.type)] = static_cast<uint32_t>(one.longest) - 3;
  return all;
}();

}  // namespace detail

std::string message_name(BackendMessage type) {
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

std::optional<NegotiateProtocolVersion> decode_negotiate_protocol_version(std::string_view body) {
  wire::Reader reader(body);
  NegotiateProtocolVersion negotiated;
  negotiated.version = reader.integer<uint32_t>();
  const auto count = reader.integer<int32_t>();
  for (int32_t i = 0; i < count && reader.ok(); ++i)
    negotiated.unknown_options.push_back(reader.string());
  if (count < 0 || !reader.finished()) return std::nullopt;
  return negotiated;
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
