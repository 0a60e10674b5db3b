#include "src/pg/scram_keys.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <openssl/crypto.h>

#include "proto/wire/wipe.h"
#include "src/io/offload.h"

namespace ringpost::pg {

using proto::pg::Digest, proto::pg::Scram;

namespace {

// What the other thread works on: its own copies, wiped with it.
struct Work {
  explicit Work(const Scram::Salting& salting)
      : password(salting.password), salt(salting.salt), iterations(salting.iterations) {}
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  ~Work() {
    proto::wire::wipe(password);
    OPENSSL_cleanse(salted.data(), salted.size());
  }
  std::string password, salt;
  uint32_t iterations;
  Digest salted{};
};

}  // namespace

ScramKeys::~ScramKeys() {
  for (Kept& one : kept_) OPENSSL_cleanse(one.salted.data(), one.salted.size());
}

Digest ScramKeys::identify(const Scram::Salting& salting) const {
  std::string all =
      std::to_string(salting.iterations) + ":" + std::to_string(salting.salt.size()) + ":";
  all.reserve(all.size() + salting.salt.size() + salting.password.size());
  all.append(salting.salt).append(salting.password);
  const Digest digest = crypto_.sha256(all);
  proto::wire::wipe(all);
  return digest;
}

io::Task<Result<Digest>> ScramKeys::salted(Scram::Salting salting, io::Until until) {
  const Digest made_of = identify(salting);
  const auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const Kept& one) { return one.made_of == made_of; });
  if (found != kept_.end()) co_return found->salted;
  const auto work = std::make_shared<Work>(salting);
  std::function<void()> make = [work, pbkdf2 = crypto_.pbkdf2_sha256] {
    work->salted = pbkdf2(work->password, work->salt, work->iterations);
  };
  const io::Result<void> done = co_await io::offload(reactor_, std::move(make), until);
  if (!done) co_return std::unexpected(unavailable("SCRAM's key: " + done.error().message()));
  if (kept_.size() == most) {
    OPENSSL_cleanse(kept_.front().salted.data(), kept_.front().salted.size());
    kept_.pop_front();
  }
  kept_.push_back({made_of, work->salted});
  co_return work->salted;
}

}  // namespace ringpost::pg
