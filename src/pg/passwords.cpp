#include "src/pg/passwords.h"

#include <utility>

#include "src/pg/environment.h"

namespace ringpost::pg {

namespace {

void wipe_passwords(proto::pg::Conninfo& conninfo) {
  proto::wire::wipe(conninfo.password);
  for (proto::pg::Host& host : conninfo.hosts) proto::wire::wipe(host.password);
}

}  // namespace

// There is no stamp yet: the file may have changed since the settings were read.
Passwords::Passwords(const proto::pg::Conninfo& conninfo) : conninfo_(conninfo) {}

Passwords::~Passwords() {
  wipe_passwords(conninfo_);
}

Passwords::Password Passwords::of(size_t host) {
  const std::lock_guard lock(mutex_);
  if (conninfo_.password.empty() && !conninfo_.passfile.empty()) {
    const FileStamp stamp(conninfo_.passfile);
    if (stamp != stamp_) read_password_file(conninfo_, files_of_process());
    stamp_ = stamp;
  }
  return Password(conninfo_.password_for(conninfo_.hosts[host]));
}

std::string Passwords::refused() {
  const std::lock_guard lock(mutex_);
  stamp_.reset();
  return conninfo_.warning;
}

void Passwords::replace(const proto::pg::Conninfo& fresh) {
  const std::lock_guard lock(mutex_);
  wipe_passwords(conninfo_);
  conninfo_ = fresh;
  stamp_.reset();
}

bool differ_in_passwords_alone(proto::pg::Conninfo one, proto::pg::Conninfo other) {
  for (proto::pg::Conninfo* each : {&one, &other}) {
    wipe_passwords(*each);
    each->passfile.clear();
    each->warning.clear();
  }
  return one == other;
}

}  // namespace ringpost::pg
