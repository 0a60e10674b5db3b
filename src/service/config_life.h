// The settings of how a process lives beside others: what it is there for, its log, how it begins
// and ends. Each function adds options that write into `config`, which outlives the parsing.
#pragma once

#include "src/service/config.h"

namespace CLI {
class App;
}

namespace ringpost::service {

void add_log(CLI::App& app, Config& config);
// Hand-over, supervisors, draining.
void add_life(CLI::App& app, Config& config);
// `--check` and the like, which are not served with.
void add_purposes(CLI::App& app, Config& config);

}  // namespace ringpost::service
