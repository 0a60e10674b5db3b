// What the database has to have, and whether what the program asks of it is what it is asked to be.
//
// examine_database() opens one session, asks, and closes it; nothing is written, no statement of
// the program is executed: each is prepared, and its types compared with its declaration. Blocks;
// for a process that serves nothing. What it found is judged by functions of facts alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/pg/statement.h"
#include "src/doctor/finding.h"
#include "src/pg/options.h"

namespace ringpost::doctor {

using Statements = std::span<const proto::pg::StatementDescription* const>;

struct DatabaseFacts {
  std::string failure;  // why there was no session, or why it ended; empty: none
  bool connected = false;
  std::string address, server_version;
  bool here = false;                                   // by a UNIX socket or the loopback
  bool encrypted = false;                              // by TLS
  std::string user, dbname, encoding, authentication;  // the last is empty where it is not told
  int session_process = 0, server_process = 0;  // as the session's start says, as the server does
  bool standby = false;
  int64_t version = 0;  // 150019 is 15.19
  int64_t max_connections = 0, reserved = 0;
  int64_t role_limit = -1, database_limit = -1;  // -1: none
  int64_t others = 0;                            // sessions of other programs
  std::chrono::microseconds round_trip{};
  size_t statements = 0;
  std::vector<std::pair<std::string, std::string>> broken;  // of these, by name, and why
};

Finding check_connected(const DatabaseFacts& facts);
Finding check_version(int64_t version);
Finding check_encryption(const DatabaseFacts& facts);
Finding check_encoding(const std::string& encoding);
Finding check_round_trip(std::chrono::microseconds round_trip, bool here);
// Whether the session ends at PostgreSQL, or at a pooler before it.
Finding check_pooler(int session_process, int server_process);
// `budget`: DB_MAX_CONNS.
Finding check_budget(const DatabaseFacts& facts, uint32_t budget);
Findings check_statements(const DatabaseFacts& facts);

// All of them, of what could be found out.
Findings judge(const DatabaseFacts& facts, uint32_t budget);

// Whether the first host of the settings is on this machine.
bool is_here(const proto::pg::Conninfo& conninfo);

// Throws io::RingError where io_uring can't be had.
DatabaseFacts examine_database(const pg::Options& options, Statements statements,
                               std::chrono::milliseconds limit);

}  // namespace ringpost::doctor
