// libpq as the oracle: what it makes of connection strings, of the environment and of service files
// is what ringpost makes of them. Run with whichever libpq the program finds; those of PostgreSQL
// 15 to 18 are tried (tests/integration/meson.build).
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/libpq.h"

namespace ringpost::proto::pg {
namespace {

using tests::difference;

TEST(ConninfoLibpq, ATableOfStrings) {
  constexpr std::string_view cases[] = {
      "",
      " ",
      "host",
      "host=",
      "host=h port=1 user=u password=p dbname=d",
      "host = h\tport\n=\r1 \v\f",
      "password='it\\'s a \\\\ secret'",
      "password=a\\",
      "password='a\\",
      "password='a",
      "password=a'b",
      "host='h'user=u",
      "=x",
      "requiressl=1",
      "requiressl=x",
      "nonsense=1",
      "Host=h",
      "http://localhost/db",
      "http://localhost/db?a=b",
      "postgres:/h",
      "postgresql://",
      "postgres://u:p@h:1/d?sslmode=require",
      "postgresql://u:p?q@h/d",
      "postgresql://u:p,q@h/d",
      "postgresql://u:p@q@h/d",
      "postgresql://u:p/q@h/d",
      "postgresql://u:@h",
      "postgresql://:p@h",
      "postgresql://@h",
      "postgresql://h1:1,h2,[::1]:3/d",
      "postgresql://,",
      "postgresql://:1",
      "postgresql://h?",
      "postgresql://h/?",
      "postgresql://h/d/e",
      "postgresql://h?host=x",
      "postgresql://h?user=u&",
      "postgresql://h?&user=u",
      "postgresql://h?user=u&&port=1",
      "postgresql://h?user",
      "postgresql://h?user=a=b",
      "postgresql://h?options=-c%20a%3Db",
      "postgresql://h?ssl=true",
      "postgresql://h?ssl=false",
      "postgresql://h?requiressl=1",
      "postgresql://h?%75ser=u",
      "postgresql://h?nonsense=1",
      "postgresql://%2Ftmp%2Cb/d%20e",
      "postgresql://h%",
      "postgresql://h%2",
      "postgresql://h%00",
      "postgresql://h%gg",
      "postgresql://h%+1",
      "postgresql://[::1",
      "postgresql://[]",
      "postgresql://[::1]x",
      "postgresql://[::1]?user=u",
      "postgresql:// u : p @ h : 1 / d ? port = 2 ",
      "postgresql://u:p q@h",
  };
  for (const std::string_view one : cases) EXPECT_EQ(difference(std::string(one)), "") << one;
}

TEST(ConninfoLibpq, StringsThatChanceMakes) {
  constexpr std::string_view pieces[] = {
      "user",    "host",  "port",     "5432", "dbname",     "password",  "sslmode",
      "require", "ssl",   "true",     "=",    "requiressl", "1",         ":",
      "@",       "/",     "?",        "&",    ",",          "[",         "]",
      "%",       "%2",    "%2F",      "%40",  "%00",        "%zZ",       "'",
      "\\",      " ",     "\t",       "\n",   "\v",         "\f",        "::1",
      "a=b",     "host=", "\xc3\xa9", "://",  "%2c",        "service=s", "min_protocol_version=",
      "ssl=true"};
  constexpr std::string_view delimiters = ":@/?&=,";
  std::mt19937 random(20'180'118);
  int taken = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string text = random() % 2 == 0 ? "postgresql://" : random() % 4 == 0 ? "postgres://" : "";
    for (auto left = random() % 12; left != 0; --left)
      if (random() % 3 == 0 && text.starts_with('p'))
        text += delimiters[random() % delimiters.size()];
      else
        text += pieces[random() % std::size(pieces)];
    ASSERT_EQ(difference(text), "") << text;
    taken += parse_connection_string(text).has_value() ? 1 : 0;
  }
  EXPECT_GT(taken, 5'000);
}

// An environment of its own for libpq, which reads the process's: no PG* but these.
class ConninfoLibpqEnvironment : public ::testing::Test {
 protected:
  ConninfoLibpqEnvironment() : home_("/tmp/ringpost-conninfo.XXXXXX") {
    if (mkdtemp(home_.data()) == nullptr) std::abort();
    for (const Keyword& one : keywords())
      if (one.variable != nullptr) unsetenv(one.variable);
    for (const char* name : {"PGREQUIRESSL", "PGSERVICEFILE"}) unsetenv(name);
    setenv("PGSYSCONFDIR", home_.c_str(), 1);
    setenv("HOME", home_.c_str(), 1);
  }
  ~ConninfoLibpqEnvironment() override {
    for (const std::string& file : files_) unlink((home_ + "/" + file).c_str());
    rmdir(home_.c_str());
  }

  void write(const std::string& file, std::string_view text) {
    files_.push_back(file);
    const std::string path = home_ + "/" + file;
    std::ofstream(path) << text;
    chmod(path.c_str(), 0600);
  }

  ConninfoContext context() const {
    return {.lookup = [](const std::string& name) -> std::optional<std::string> {
              const char* value = std::getenv(name.c_str());
              return value == nullptr ? std::nullopt : std::optional<std::string>(value);
            },
            .file_status = [](const std::string& path) { return std::filesystem::status(path); },
            .read_file = [](const std::string& path) -> std::optional<std::string> {
              std::ifstream file(path);
              if (!file) return std::nullopt;
              return std::string(std::istreambuf_iterator<char>(file), {});
            },
            .home = home_,
            .os_user = tests::take_settings(PQconndefaults())->at("user"),
            .application_name = "program"};
  }

  // Of the session that a string asks for. No host is reached: it is told where its connection
  // ends.
  std::string session_difference(const std::string& text) const {
    const auto settings = read_settings(text, context());
    const std::unique_ptr<PGconn, void (*)(PGconn*)> session(PQconnectdb(text.c_str()), PQfinish);
    const std::string message = PQerrorMessage(session.get());
    const bool taken = message.contains("connection to server");
    if (!settings || !conninfo_of(*settings, context()))
      return taken ? "libpq takes it, ringpost refuses it" : "";
    if (!taken) return "ringpost takes it, libpq says: " + message;
    const auto theirs = *tests::take_settings(PQconninfo(session.get()));
    for (const Keyword& one : keywords()) {
      const auto found = theirs.find(std::string(one.name));
      const std::string value = found == theirs.end() ? "" : found->second;
      // These libpq derives, or it keeps them elsewhere; the last is its build's.
      if (one.name == "service" || one.name == "dbname" || one.name == "passfile" ||
          one.name == "sslcertmode" || one.name == "gssencmode" || !tests::libpq_knows(one.name))
        continue;
      if (value != settings->value(one.name))
        return std::string(one.name) + ": libpq " + value + ", ringpost " +
               settings->value(one.name);
    }
    if (PQuser(session.get()) != conninfo_of(*settings, context())->user) return "the user differs";
    if (PQdb(session.get()) != conninfo_of(*settings, context())->dbname)
      return "the database differs";
    const Conninfo conninfo = *conninfo_of(*settings, context());
    const std::string password =
        conninfo.password.empty() ? conninfo.hosts.back().password : conninfo.password;
    if (PQpass(session.get()) != password) return "the password differs";
    return "";
  }

  std::string home_;
  std::vector<std::string> files_;
};

TEST_F(ConninfoLibpqEnvironment, TheDefaultsAndEachVariable) {
  const auto check = [this](const std::string& what) {
    const auto settings = read_settings("", context());
    const auto theirs = *tests::take_settings(PQconndefaults());
    for (const Keyword& one : keywords()) {
      if (!tests::libpq_knows(one.name) || one.name == "gssencmode") continue;
      // A service that is not there is no error to PQconndefaults.
      if (!settings) continue;
      const auto found = theirs.find(std::string(one.name));
      const Setting* setting = settings->find(one.name);
      EXPECT_EQ(setting == nullptr ? "unset" : setting->value,
                found == theirs.end() ? "unset" : found->second)
          << one.name << " with " << what;
    }
  };
  check("nothing set");
  for (const Keyword& one : keywords()) {
    if (one.variable == nullptr) continue;
    for (const char* value : {"x", "", "system"}) {
      if (PQlibVersion() < 160000 && value == std::string_view("system")) continue;
      setenv(one.variable, value, 1);
      check(std::string(one.variable) + "=" + value);
    }
    unsetenv(one.variable);
  }
  setenv("PGREQUIRESSL", "1", 1);
  check("PGREQUIRESSL=1");
}

TEST_F(ConninfoLibpqEnvironment, Sessions) {
  write(".pg_service.conf",
        "# services\n[a]\nuser=alice\n port=7\n[b]\nhost=/nowhere/b\noptions=-c a=b\n"
        "[bad]\nnonsense=1\n[worse]\nuser\n[nested]\nservice=a\n[blank]\nuser = u\n");
  write("pg_service.conf", "[c]\nuser=carol\n[a]\nuser=other\n");
  write(".pgpass",
        "# passwords\nlocalhost:5432:*:*:socket\n/nowhere:7:*:alice:al\\:ice\n"
        "/nowhere:*:d:*:of d:x\n*:*:*:carol:carols\n");
  constexpr std::string_view cases[] = {
      "",
      "dbname=d",
      "dbname=d password=given",
      "dbname=d password=''",
      "port=7 user=alice",
      "user=carol",
      "passfile=/nowhere/passwords user=carol",
      "service=a",
      "service=a user=u",
      "service=b",
      "service=c",
      "service=bad",
      "service=worse",
      "service=nested",
      "service=blank",
      "service=none",
      "host=/nowhere,/nowhere2 port=1,2",
      "host=/nowhere,/nowhere2 port=1",
      "host=/nowhere port=1,2",
      "host=/nowhere,/nowhere2,/nowhere3 port=1,2",
      "hostaddr=db.example",
      "hostaddr=127.0.0.1x",
      "port=0",
      "port=65536",
      "port=x",
      "port=' 1 '",
      "port=+1",
      "port=1x",
      "connect_timeout=3",
      "connect_timeout=-3",
      "connect_timeout=' 3 '",
      "sslmode=x",
      "sslmode=Require",
      "sslmode=verify-full",
      "channel_binding=x",
      "channel_binding=disable",
      "gssencmode=x",
      "gssencmode=disable",
      "target_session_attrs=x",
      "target_session_attrs=prefer-standby",
      "ssl_min_protocol_version=x",
      "ssl_min_protocol_version=tlsv1.3",
      "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
      "ssl_min_protocol_version=TLSv1.1 ssl_max_protocol_version=TLSv1",
      "ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1",
      "ssl_max_protocol_version=TLSv1.1",
      "sslcert=c sslkey=k sslcrl=l sslcrldir=d sslsni=0",
      "application_name=a fallback_application_name=b",
  };
  // With their release.
  constexpr std::pair<int, std::string_view> later[] = {
      {160000, "require_auth=scram-sha-256,none"},
      {160000, "require_auth=!none,!md5"},
      {160000, "require_auth=md5,md5"},
      {160000, "require_auth=md5,!none"},
      {160000, "require_auth=!md5,none"},
      {160000, "require_auth=x"},
      {160000, "require_auth=md5,"},
      {160000, "load_balance_hosts=random"},
      {160000, "load_balance_hosts=x"},
      {160000, "sslcertmode=x"},
      {160000, "sslcertmode=disable"},
      {160000, "sslrootcert=system"},
      {160000, "sslrootcert=system sslmode=require"},
      {170000, "sslnegotiation=x"},
      {170000, "sslnegotiation=direct"},
      {170000, "sslnegotiation=direct sslmode=require"},
      {180000, "min_protocol_version=x"},
      {180000, "min_protocol_version=3.1"},
      {180000, "min_protocol_version=3.2"},
      {180000, "min_protocol_version=3.2 max_protocol_version=3.0"},
      {180000, "max_protocol_version=latest"},
      {180000, "require_auth=oauth"},
  };
  // A folder in which there is no socket.
  setenv("PGHOST", "/nowhere", 1);
  for (const std::string_view one : cases)
    EXPECT_EQ(session_difference(std::string(one)), "") << one;
  for (const auto& [release, text] : later)
    if (PQlibVersion() >= release) {
      EXPECT_EQ(session_difference(std::string(text)), "") << text;
    }
  setenv("PGSERVICE", "b", 1);
  EXPECT_EQ(session_difference(""), "");
  EXPECT_EQ(session_difference("service=a"), "");
  setenv("PGSERVICEFILE", (home_ + "/pg_service.conf").c_str(), 1);
  EXPECT_EQ(session_difference("service=c"), "");
  EXPECT_EQ(session_difference("service=b"), "");
  setenv("PGSERVICEFILE", "/nowhere", 1);
  EXPECT_EQ(session_difference("service=c"), "");
  unsetenv("PGSERVICE");
  chmod((home_ + "/.pgpass").c_str(), 0640);
  EXPECT_EQ(session_difference("user=carol"), "");
}

}  // namespace
}  // namespace ringpost::proto::pg
