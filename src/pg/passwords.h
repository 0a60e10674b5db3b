// Passwords: what each host of a connection string is told, as it is now. Operators change
// passwords while programs run.
//
// Where the password file has them it is looked at for each session, and read anew when it has
// changed since, or when a server refused what it said. While it can't be read, what it said last
// counts. Where the settings have them replace() brings others (a reload).
//
// All shards of a process share one, and call it at the same time: for a session, never for a
// request. What it keeps is wiped with it; what it hands out, with whoever took it.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "proto/pg/conninfo.h"
#include "proto/wire/wipe.h"
#include "src/pg/file_stamp.h"

namespace ringpost::pg {

class Passwords {
 public:
  struct Password {
    explicit Password(std::string what) : text(std::move(what)) {}
    ~Password() { proto::wire::wipe(text); }
    Password(const Password&) = delete;
    Password& operator=(const Password&) = delete;
    std::string text;
  };

  // Those that the settings had when they were read.
  explicit Passwords(const proto::pg::Conninfo& conninfo);
  ~Passwords();
  Passwords(const Passwords&) = delete;
  Passwords& operator=(const Passwords&) = delete;

  // Of the host with this index; may be empty.
  Password of(size_t host);
  // A server has refused one: the file is read again whatever its stamp says. Why it is not used
  // though it is there; empty: nothing to say.
  std::string refused();
  // Takes those of settings that were read again. REQUIRES: differ_in_passwords_alone().
  void replace(const proto::pg::Conninfo& fresh);

 private:
  proto::pg::Conninfo conninfo_;    // of it: hosts, user, database, passwords, the file's path
  std::optional<FileStamp> stamp_;  // of the file when it was read last
  std::mutex mutex_;
};

// Whether all else is the same: hosts, user, database, and how they are asked.
bool differ_in_passwords_alone(proto::pg::Conninfo one, proto::pg::Conninfo other);

}  // namespace ringpost::pg
