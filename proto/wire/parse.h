// What a decoder says of the bytes it was given. Input that has not all arrived is a state and not
// an error: the caller keeps the bytes, reads more, and asks again.
#pragma once

namespace ringpost::proto::wire {

enum class Parse {
  complete,  // one whole item was taken; the decoder says how many bytes it used
  partial,   // what is there is valid so far; nothing was taken
  invalid,   // no continuation of these bytes can be valid
};

}  // namespace ringpost::proto::wire
