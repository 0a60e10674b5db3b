#include "src/io/probe.h"

#include <gtest/gtest.h>

namespace ringpost::io {
namespace {

TEST(ProbeKernel, PassesWhereTheseTestsRun) {
  EXPECT_NO_THROW(probe_kernel());
}

}  // namespace
}  // namespace ringpost::io
