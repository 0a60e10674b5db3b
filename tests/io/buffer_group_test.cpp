#include "src/io/buffer_group.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "src/io/ring.h"

namespace ringpost::io {
namespace {

// Notes its turn; and waits again, as one whose buffer somebody else was faster to take.
class Waiting final : public BufferGroup::Waiter {
 public:
  Waiting(BufferGroup& group, std::string& told, char name)
      : group_(group), told_(told), name_(name) {
    group_.wait_for_buffers(*this);
  }
  ~Waiting() {
    if (linked()) unlink();
  }
  void buffers_available() override {
    EXPECT_FALSE(linked());
    told_ += name_;
    group_.wait_for_buffers(*this);
  }

 private:
  BufferGroup& group_;
  std::string& told_;
  char name_;
};

TEST(BufferGroup, TellsAsManyAsThereAreBuffersInTheirOrder) {
  Ring ring(8, 16);
  BufferGroup group(ring, 1, 4, 16);
  std::string told;
  for (int i = 0; i < 4; ++i) group.taken();
  Waiting a(group, told, 'a'), b(group, told, 'b'), c(group, told, 'c');
  group.publish();
  EXPECT_EQ(told, "") << "the kernel has none";
  group.give_back(0);
  EXPECT_EQ(told, "") << "at the end of the turn";
  group.publish();
  EXPECT_EQ(told, "a");
  group.taken();
  group.give_back(1);
  group.give_back(2);
  group.publish();
  EXPECT_EQ(told, "abc");
}

// Who was told before may have had no use for the buffer, or all were back before somebody learnt
// that there had been none: nothing more is given back then.
TEST(BufferGroup, TellsWhoCameWhenAllWereBack) {
  Ring ring(8, 16);
  BufferGroup group(ring, 1, 4, 16);
  std::string told;
  group.publish();
  Waiting a(group, told, 'a');
  group.publish();
  EXPECT_EQ(told, "aaaa");
}

TEST(BufferGroup, WhoHasLeftIsNotTold) {
  Ring ring(8, 16);
  BufferGroup group(ring, 1, 4, 16);
  std::string told;
  for (int i = 0; i < 4; ++i) group.taken();
  Waiting a(group, told, 'a'), b(group, told, 'b');
  a.unlink();
  group.give_back(0);
  group.publish();
  EXPECT_EQ(told, "b");
}

TEST(BufferGroup, EachBufferHasItsOwnMemory) {
  Ring ring(8, 16);
  BufferGroup group(ring, 1, 4, 16);
  for (uint16_t buffer = 0; buffer < 4; ++buffer)
    EXPECT_EQ(group.data(buffer), group.data(0) + buffer * 16);
}

}  // namespace
}  // namespace ringpost::io
