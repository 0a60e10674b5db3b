// NotificationResponse: what NOTIFY has sent to a session that listens (PostgreSQL 18
// documentation, 54.7 "Message Formats").
//
//     int32 process id of the backend that sent it  channel \0  payload \0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/wire/bytes.h"

namespace ringpost::proto::pg {

// Views of the body.
struct NotificationResponse {
  int32_t process_id = 0;
  std::string_view channel, payload;
};

// Of a message body; empty when it is not that to the last byte.
inline std::optional<NotificationResponse> decode_notification(std::string_view body) {
  wire::Reader reader(body);
  NotificationResponse notification;
  notification.process_id = reader.integer<int32_t>();
  notification.channel = reader.string();
  notification.payload = reader.string();
  if (!reader.finished()) return std::nullopt;
  return notification;
}

}  // namespace ringpost::proto::pg
