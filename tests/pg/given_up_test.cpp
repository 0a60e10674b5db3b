#include "src/pg/given_up.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ringpost::pg {
namespace {

struct Look {
  uint64_t front;
  bool forgotten;
  GivenUp::Do then;
};
using enum GivenUp::Do;

void looks(const std::string& what, const std::vector<Look>& all) {
  GivenUp given_up;
  given_up.begin(5);
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(given_up.look(all[i].front, all[i].forgotten), all[i].then)
        << what << ", look " << i + 1;
}

TEST(GivenUp, IsCancelledThenReplaced) {
  looks("stays", {{5, true, cancel}, {5, true, look_closely}, {5, true, replace}});
  looks("stays for ever", {{5, true, cancel},
                           {5, true, look_closely},
                           {5, true, replace},
                           {5, true, cancel},
                           {5, true, look_closely}});
}

TEST(GivenUp, IsLeftAloneWhileAnswersEnd) {
  looks("moves on", {{6, true, nothing}, {7, true, nothing}, {8, true, nothing}});
  looks("is wanted", {{5, false, nothing}, {5, false, nothing}, {6, false, nothing}});
  // It is given up later: its time begins then.
  looks("was wanted", {{9, false, nothing}, {9, true, cancel}});
}

TEST(GivenUp, TheNextThatStaysCostsTheSession) {
  looks("the same lock",
        {{5, true, cancel}, {6, true, nothing}, {6, true, look_closely}, {6, true, replace}});
  looks("a wanted one between",
        {{5, true, cancel}, {6, false, nothing}, {7, true, nothing}, {7, true, cancel}});
}

TEST(GivenUp, TheCloseLookMayFindThatItHasCome) {
  looks("another",
        {{5, true, cancel}, {5, true, look_closely}, {6, true, nothing}, {6, true, cancel}});
  looks("wanted",
        {{5, true, cancel}, {5, true, look_closely}, {6, false, nothing}, {6, true, cancel}});
}

}  // namespace
}  // namespace ringpost::pg
