// A service's process, from its command line to its exit status.
#pragma once

#include "src/service/app.h"

namespace ringpost::service {

// All of main(): reads the settings, serves until a signal ends it, returns its exit status. Once a
// process, before anything else of it.
int run(App& app, int argc, char** argv);

}  // namespace ringpost::service
