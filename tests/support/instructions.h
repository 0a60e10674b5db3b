// The sets of instructions that this machine can scan heads by: each must give the same answers.
#pragma once

#include <vector>

#include "proto/http/request_parser.h"

namespace ringpost::tests {

inline std::vector<proto::http::Instructions> instructions_here() {
  using proto::http::Instructions;
  std::vector<Instructions> here;
  for (const Instructions one : {Instructions::portable, Instructions::sse2, Instructions::avx2})
    if (one <= proto::http::best_instructions()) here.push_back(one);
  return here;
}

}  // namespace ringpost::tests
