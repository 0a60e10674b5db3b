#include "proto/pg/statement.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/pg_messages.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace ringpost::proto::pg {
namespace {

using tests::Exact, tests::field, tests::int16, tests::int32, tests::message, tests::null_value,
    tests::value;

struct Person {
  Uuid id;
  std::optional<std::string_view> name;
  std::optional<int32_t> age;
  bool active;
  Timestamptz since;

  static constexpr auto columns =
      std::tuple{&Person::id, &Person::name, &Person::age, &Person::active, &Person::since};
};
constexpr auto find_person = read<Person(Uuid)>(
    "find_person", "select id, name, age, active, since from people where id = $1");

struct Count {
  int64_t count;
  static constexpr auto columns = std::tuple{&Count::count};
};
constexpr auto count_people = read<Count()>("count_people", "select count(*) from people");

struct Counted : Person {
  int64_t total;
  static constexpr auto columns = std::tuple_cat(Person::columns, std::tuple{&Counted::total});
};
constexpr auto search =
    write<Counted(int64_t, std::optional<std::string_view>, bool)>("search", "select ...");
constexpr auto rename_person =
    write<void(Uuid, std::string)>("rename_person", "update people set name = $2 where id = $1");

constexpr Uuid id{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
constexpr std::string_view id_bytes = "\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf"sv;

const std::string full_row =
    "\0\5"s
    "\0\0\0\x10"s +
    std::string(id_bytes) +
    "\0\0\0\3Zoe\0\0\0\4\0\0\0\x19\0\0\0\1\1\0\0\0\x08\0\0\0\0\0\x0f\x42\x40"s;

TEST(Statement, HasItsParametersTypes) {
  EXPECT_EQ((std::vector<Oid>(find_person.parameters.begin(), find_person.parameters.end())),
            (std::vector<Oid>{2950}));
  EXPECT_TRUE(count_people.parameters.empty());
  EXPECT_EQ((std::vector<Oid>(search.parameters.begin(), search.parameters.end())),
            (std::vector<Oid>{20, 25, 16}));
  EXPECT_TRUE(find_person.read_only);
  EXPECT_FALSE(search.read_only);
  EXPECT_FALSE(rename_person.read_only);
}

// Neither kind is taken for granted.
template <class S>
concept MadeWithoutSayingWhich = requires { S("name", "select 1"); };
static_assert(!MadeWithoutSayingWhich<Statement<Count()>>);

TEST(Statement, MayBringNoRows) {
  EXPECT_TRUE(rename_person.check("\0\2\0\0\x0b\x86\0\0\0\x19"sv, ""));
  EXPECT_EQ(
      rename_person.check("\0\2\0\0\x0b\x86\0\0\0\x19"sv, int16(1) + field("id", 2950)).error(),
      "statement rename_person: it has 1 columns, the program reads 0");
  Rows<NoRow> none("", "UPDATE 2\0"sv);
  EXPECT_FALSE(none.next());
  EXPECT_EQ(none.affected(), 2u);
  EXPECT_TRUE(decode_row<NoRow>("\0\0"sv)) << "as select without a column brings them";
  EXPECT_FALSE(decode_row<NoRow>("\0\1\0\0\0\0"sv));
}

// Behind a pooler another program's statement may have the same name.
TEST(Statement, TheServersNameSaysWhatItIs) {
  EXPECT_EQ(find_person.server_name.view(), "find_person_ad9122de0acc98d0");
  constexpr Oid uuid[] = {2950}, text[] = {25};
  const auto named = [](std::string_view name, std::string_view sql, std::span<const Oid> types) {
    return std::string(StatementName(name, sql, types).view());
  };
  const std::string usual = named("n", "select 1", uuid);
  EXPECT_EQ(named("n", "select 1", uuid), usual);
  EXPECT_NE(named("n", "select 2", uuid), usual);
  EXPECT_NE(named("n", "select 1", text), usual);
  EXPECT_NE(named("n", "select 1", {}), usual);
  EXPECT_EQ(named("", "select 1", uuid), "");
  const std::string long_name(100, 'n');
  EXPECT_EQ(named(long_name, "select 1", uuid), std::string(46, 'n') + usual.substr(1));
  EXPECT_EQ(named(long_name, "select 1", uuid).size(), 63u);
}

TEST(Statement, EncodesBindAndExecute) {
  wire::Buffer out;
  EXPECT_TRUE(find_person.encode_bind(out, id));
  EXPECT_EQ(out.view(), "B\0\0\0\x40\0find_person_ad9122de0acc98d0\0\0\1\0\1\0\1\0\0\0\x10"s +
                            std::string(id_bytes) + "\0\1\0\1E\0\0\0\x09\0\0\0\0\0"s);
}

TEST(Statement, EncodesEachParameterByItsType) {
  wire::Buffer out;
  EXPECT_TRUE(search.encode_bind(out, 7, "hi"sv, true));
  EXPECT_TRUE(search.encode_bind(out, -1, std::nullopt, false));
  EXPECT_EQ(out.view(),
            "B\0\0\0\x3e\0search_"
            "ff66b84db2a7d314\0\0\1\0\1\0\3\0\0\0\x08\0\0\0\0\0\0\0\7\0\0\0\2hi\0\0\0\1\1\0\1\0"
            "\1E\0\0\0\x09\0\0\0\0\0"
            "B\0\0\0\x3c\0search_"
            "ff66b84db2a7d314\0\0\1\0\1\0\3\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
            "\xff\xff\0\0\0\1\0\0\1\0\1"
            "E\0\0\0\x09\0\0\0\0\0"sv);
}

constexpr auto two_texts = read<Count(std::string_view, std::string_view)>("two", "select ...");

// Of a made-up length: nothing reads it.
std::string_view text_of(size_t length) {
  return {"x", length};
}

TEST(Statement, RefusesWhatAMessageCantHold) {
  // 16 bytes and the name with its hash, three lengths of 4 bytes, an int8 and a bool.
  constexpr size_t longest = 0x3fff'fffe - 16 - 23 - 12 - 9;
  EXPECT_TRUE(search.fits(1, text_of(longest), true));
  for (const size_t length : {longest + 1, size_t{1} << 30, size_t{1} << 31, (size_t{1} << 32) - 1,
                              size_t{1} << 32, (size_t{1} << 32) + 1, (size_t{1} << 32) + 100,
                              size_t{1} << 63, ~size_t{0} - 8, ~size_t{0}}) {
    wire::Buffer out;
    EXPECT_FALSE(search.fits(1, text_of(length), true)) << length;
    EXPECT_FALSE(search.encode_bind(out, 1, text_of(length), true)) << length;
    EXPECT_TRUE(out.empty());
  }
  wire::Buffer out;
  EXPECT_FALSE(two_texts.encode_bind(out, text_of(size_t{1} << 63), text_of(size_t{1} << 63)))
      << "whose sum wraps to nothing";
  EXPECT_FALSE(two_texts.encode_bind(out, text_of(size_t{1} << 29), text_of(size_t{1} << 29)))
      << "which fit one by one";
  EXPECT_TRUE(out.empty());
}

TEST(DecodeRow, ReadsEachColumn) {
  const Exact body(full_row);
  const auto row = decode_row<Person>(body.view());
  ASSERT_TRUE(row);
  EXPECT_EQ(row->id, id);
  EXPECT_EQ(row->name, "Zoe");
  EXPECT_EQ(row->age, 25);
  EXPECT_TRUE(row->active);
  EXPECT_EQ(row->since, Timestamptz{1'000'000});
  EXPECT_EQ(row->name->data(), body.view().data() + 26) << "a view of the body, not a copy";
}

TEST(DecodeRow, TellsNullFromEmpty) {
  const std::string head = int16(5) + value(id_bytes),
                    tail = value("\0"sv) + value("\0\0\0\0\0\0\0\0"sv);
  const auto nulls = decode_row<Person>(head + null_value + null_value + tail);
  ASSERT_TRUE(nulls);
  EXPECT_EQ(nulls->name, std::nullopt);
  EXPECT_EQ(nulls->age, std::nullopt);
  EXPECT_FALSE(nulls->active);
  const std::string empty_name = head + value("") + null_value + tail;
  const auto empty = decode_row<Person>(empty_name);
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->name, "");
}

TEST(DecodeRow, ReadsABaseClassesColumns) {
  std::string body = full_row + value("\0\0\0\0\0\0\x27\x10"sv);
  body[1] = 6;
  const auto row = decode_row<Counted>(body);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->age, 25);
  EXPECT_EQ(row->total, 10'000);
}

TEST(DecodeRow, RefusesEveryPrefixAndAnythingMore) {
  for (size_t size = 0; size < full_row.size(); ++size)
    EXPECT_FALSE(decode_row<Person>(Exact(full_row.substr(0, size)).view())) << size;
  EXPECT_FALSE(decode_row<Person>(Exact(full_row + '\0').view()));
}

TEST(DecodeRow, RefusesWhatDoesNotFit) {
  const std::string name = value("Zoe"), age = value("\0\0\0\x19"sv), active = value("\1"sv),
                    since = value("\0\0\0\0\0\0\0\1"sv);
  struct Case {
    const char* what;
    std::string body;
  };
  const Case cases[] = {
      {"too few columns", int16(4) + value(id_bytes) + name + age + active},
      {"another count than columns", int16(6) + value(id_bytes) + name + age + active + since},
      {"NULL where none may be", int16(5) + null_value + name + age + active + since},
      {"a uuid of 15 bytes", int16(5) + value(id_bytes.substr(1)) + name + age + active + since},
      {"an int4 of 8 bytes",
       int16(5) + value(id_bytes) + name + value("\0\0\0\0\0\0\0\x19"sv) + active + since},
      {"an int4 of no bytes", int16(5) + value(id_bytes) + name + value("") + active + since},
      {"a length of -2", int16(5) + value(id_bytes) + "\xff\xff\xff\xfe"s + age + active + since},
      {"a length past the end",
       int16(5) + value(id_bytes) + "\x7f\xff\xff\xff"s + age + active + since},
  };
  for (const Case& one : cases)
    EXPECT_FALSE(decode_row<Person>(Exact(one.body).view())) << one.what;
}

struct Widest {
  int16_t two;
  std::optional<int32_t> four;
  int64_t eight;
  static constexpr auto columns = std::tuple{&Widest::two, &Widest::four, &Widest::eight};
};

TEST(DecodeRow, TakesIntegersOfAnyWidthWhereItIsToldTo) {
  const std::string_view two = "\xff\xfe"sv, four = "\xff\xff\xff\xfd"sv,
                         eight = "\xff\xff\xff\xff\xff\xff\xff\xfc"sv;
  const auto row = [](std::string_view a, std::string_view b, std::string_view c) {
    return int16(3) + value(a) + value(b) + value(c);
  };
  const auto numbers = [](const std::string& body) -> std::vector<int64_t> {
    Widest read{};
    if (!decode_row<Widths::any>(Exact(body).view(), read)) return {};
    return {read.two, read.four.value_or(0), read.eight};
  };
  EXPECT_EQ(numbers(row(two, four, eight)), (std::vector<int64_t>{-2, -3, -4}));
  EXPECT_EQ(numbers(row(eight, two, four)), (std::vector<int64_t>{-4, -2, -3}));
  EXPECT_EQ(numbers(row(four, eight, two)), (std::vector<int64_t>{-3, -4, -2}));
  EXPECT_EQ(numbers(int16(3) + value(two) + null_value + value(two)),
            (std::vector<int64_t>{-2, 0, -2}));
  EXPECT_FALSE(decode_row<Widest>(row(eight, two, four)));

  const std::string_view most = "\0\0\0\0\x7f\xff\xff\xff"sv, more = "\0\0\0\0\x80\0\0\0"sv;
  EXPECT_EQ(numbers(row(two, most, two)), (std::vector<int64_t>{-2, 2147483647, -2}));
  EXPECT_EQ(numbers(row(two, more, two)), std::vector<int64_t>{}) << "not cut off";
  EXPECT_EQ(numbers(row("\0\0\x80\0"sv, four, two)), std::vector<int64_t>{});
  for (const std::string_view odd : {""sv, "\0"sv, "\0\0\0"sv, "\0\0\0\0\0\0\0\0\0"sv})
    EXPECT_EQ(numbers(row(two, odd, two)), std::vector<int64_t>{}) << odd.size();
}

TEST(Rows, YieldsTheDataRowsOneByOne) {
  const std::string one = message('D', "\0\1\0\0\0\x08\0\0\0\0\0\0\0\1"sv);
  const std::string two = message('D', "\0\1\0\0\0\x08\0\0\0\0\0\0\0\2"sv);
  const std::string notice = message('N', "SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"sv);
  const Exact messages(one + notice + two);
  Rows<Count> rows(messages.view());
  EXPECT_EQ(rows.next()->count, 1);
  EXPECT_EQ(rows.next()->count, 2);
  EXPECT_FALSE(rows.next());
  EXPECT_FALSE(rows.next()) << "the end stays the end";
  EXPECT_FALSE(rows.malformed());
}

TEST(Rows, OfNoMessagesAreNone) {
  Rows<Count> rows{""};
  EXPECT_FALSE(rows.next());
  EXPECT_FALSE(rows.malformed());
}

TEST(Rows, EndAtARowThatDoesNotDecode) {
  const std::string good = message('D', "\0\1\0\0\0\x08\0\0\0\0\0\0\0\1"sv);
  const std::string messages = good + message('D', "\0\1\0\0\0\4\0\0\0\1"sv) + good;
  Rows<Count> rows(messages);
  EXPECT_EQ(rows.next()->count, 1);
  EXPECT_FALSE(rows.next());
  EXPECT_TRUE(rows.malformed());
  EXPECT_FALSE(rows.next()) << "nothing is read behind it";
}

const std::string person_fields = int16(5) + field("id", 2950) + field("name", 1043) +
                                  field("age", 23) + field("active", 16) + field("since", 1184);

TEST(Check, AcceptsWhatIsDeclared) {
  EXPECT_TRUE(find_person.check("\0\1\0\0\x0b\x86"sv, person_fields));
  EXPECT_TRUE(count_people.check("\0\0"sv, int16(1) + field("count", 20)));
}

TEST(Check, TellsOfIntegersOfAnotherWidth) {
  const std::string one_uuid = int16(1) + int32(2950);
  const auto fields = [](Oid age) {
    return int16(5) + field("id", 2950) + field("name", 1043) + field("age", age) +
           field("active", 16) + field("since", 1184);
  };
  EXPECT_EQ(find_person.check(one_uuid, fields(23)).value(), Widths::declared);
  EXPECT_EQ(find_person.check(one_uuid, fields(20)).value(), Widths::any);
  EXPECT_EQ(find_person.check(one_uuid, fields(21)).value(), Widths::any);
  EXPECT_FALSE(find_person.check(one_uuid, fields(26))) << "an oid is none";
}

struct Mood {
  Enum mood;
  std::vector<std::optional<int32_t>> days;
  static constexpr auto columns = std::tuple{&Mood::mood, &Mood::days};
};
constexpr auto find_mood =
    read<Mood(Enum)>("find_mood", "select mood, days from moods where mood = $1");

TEST(Check, LeavesTheTypeOfAnEnumToTheServer) {
  const std::string parameter = int16(1) + int32(16418);
  EXPECT_EQ(find_mood.parameters[0], 0u);
  EXPECT_TRUE(find_mood.check(parameter, int16(2) + field("mood", 16418) + field("days", 1007)));
  EXPECT_EQ(find_mood.check(parameter, int16(2) + field("mood", 25) + field("days", 1007)).error(),
            "statement find_mood: column 1 'mood' is text, the program reads an enum");
  EXPECT_EQ(
      find_mood.check(parameter, int16(2) + field("mood", 16418) + field("days", 1016)).error(),
      "statement find_mood: column 2 'days' is int8[], the program reads int4[]");
}

TEST(DecodeRow, OwnsWhatIsAString) {
  struct Text {
    std::optional<std::string> text;
    std::vector<std::string> words;
    std::optional<Numeric> number;
  };
  Text text;
  const std::string words = "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\1a"s;
  const std::string fields = value("Zoe") + value(words) + value("\0\1\0\0\0\0\0\0\0\1"sv);
  {
    const Exact bytes(fields);
    const char *at = bytes.view().data(), *const end = at + bytes.view().size();
    EXPECT_TRUE(decode_field(at, end, text.text));
    EXPECT_TRUE(decode_field(at, end, text.words));
    EXPECT_TRUE(decode_field(at, end, text.number));
    EXPECT_EQ(at, end);
  }
  EXPECT_EQ(text.text, "Zoe");
  EXPECT_EQ(text.words, std::vector{"a"s});
  EXPECT_EQ(write_numeric(*text.number), "1");
}

TEST(Check, SaysWhatDiffers) {
  const std::string one_uuid = int16(1) + int32(2950);
  struct Case {
    std::string parameters, fields, message;
  };
  const Case cases[] = {
      {int16(1) + int32(25), person_fields,
       "statement find_person: parameter $1 is text, the program sends uuid"},
      {int16(0), person_fields,
       "statement find_person: it takes 0 parameters, the program sends 1"},
      {int16(2) + int32(2950) + int32(20), person_fields,
       "statement find_person: it takes 2 parameters, the program sends 1"},
      {one_uuid,
       int16(5) + field("id", 2950) + field("name", 1043) + field("age", 701) +
           field("active", 16) + field("since", 1184),
       "statement find_person: column 3 'age' is float8, the program reads int4"},
      {one_uuid, int16(1) + field("id", 2950),
       "statement find_person: it has 1 columns, the program reads 5"},
      {one_uuid,
       int16(6) + field("id", 2950) + field("name", 1043) + field("age", 23) + field("active", 16) +
           field("since", 1184) + field("more", 25),
       "statement find_person: it has 6 columns, the program reads 5"},
      {one_uuid, "", "statement find_person: it has 0 columns, the program reads 5"},
      {one_uuid + '\0', person_fields,
       "statement find_person: its ParameterDescription is malformed"},
      {one_uuid, person_fields + '\0', "statement find_person: its RowDescription is malformed"},
  };
  for (const Case& one : cases) {
    const auto checked = find_person.check(one.parameters, one.fields);
    ASSERT_FALSE(checked) << one.message;
    EXPECT_EQ(checked.error(), one.message);
  }
}

}  // namespace
}  // namespace ringpost::proto::pg
