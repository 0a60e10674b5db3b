// The body of CommandComplete: which command was executed, and how many rows it was about
// (PostgreSQL 18 documentation, 54.7 "Message Formats").
//
//     INSERT 0 5    UPDATE 3    DELETE 1    MERGE 2    SELECT 10    COPY 7    BEGIN    CREATE TABLE
//
// The number is the last word, where there is one; of an INSERT the one before it is always 0.
#pragma once

#include <cstdint>
#include <string_view>

namespace ringpost::proto::pg {

// 0 for a command that counts none, and for what is no tag.
uint64_t affected_rows(std::string_view command_tag);

// Its words, without the zero at its end; empty for what is no tag.
std::string_view command_of(std::string_view command_tag);

}  // namespace ringpost::proto::pg
