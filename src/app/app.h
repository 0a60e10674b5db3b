// The users API as a service: what the program is made of.
#pragma once

#include <memory>

#include "src/service/app.h"

namespace ringpost::app {

std::unique_ptr<service::App> users();

}  // namespace ringpost::app
