// A user as the API shows it.
#pragma once

#include "proto/json/writer.h"
#include "src/app/users.h"

namespace ringpost::app {

// {"id":...,"email":...,"full_name":...,"age":...,"country_code":...,"is_active":...,"created_at":...}
void write_user(proto::json::Writer& json, const User& user);

}  // namespace ringpost::app
