// OpenSSL's cryptography, as the functions that proto/pg asks for.
#pragma once

#include "proto/pg/scram.h"

namespace ringpost::pg {

const proto::pg::Crypto& openssl_crypto();

}  // namespace ringpost::pg
