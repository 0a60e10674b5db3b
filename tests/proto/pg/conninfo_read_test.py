"""What a connection string means is read where sessions open: a member of Conninfo that nobody reads is a setting that was
accepted and ignored."""
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def text_of(path):
    with open(os.path.join(ROOT, path)) as file:
        return re.sub(r"//[^\n]*", "", file.read())


def members():
    """(struct, member) of Host, Conninfo and what is inside of it."""
    found, open_blocks, statement = [], [], ""
    for line in text_of("proto/pg/conninfo.h").split("\n"):
        opened = re.match(r"\s*(struct|enum class|[^=]*\().*\{$", line)
        if opened:
            open_blocks.append(line.split()[1] if opened[1] == "struct" else "")
        elif re.match(r"\s*\}", line) and open_blocks:
            open_blocks.pop()
        elif open_blocks and open_blocks[-1] not in ("", "ConninfoContext"):
            statement = f"{statement} {line}".strip()
            if not statement.endswith(";"):
                continue
            declared = re.match(r"[\w:]+(?:<.*>)? (\w[^()]*);$", re.sub(r" = [^,;]*", "", statement))
            if declared and not re.match(r"(using|return|enum)\b", statement):
                found += [(open_blocks[-1], re.match(r"\w+", one.strip())[0]) for one in declared[1].split(",")]
            statement = ""
    return found


def refused():
    """Settings that ask for what is missing."""
    rows = re.findall(r'\{"(\w+)"((?:, (?:"[^"]*"|nullptr|\w+|\{\}))*)\}',
                      re.sub(r"\s+", " ", text_of("proto/pg/conninfo_settings.cpp")))
    cells = {name: re.findall(r'"[^"]*"|nullptr|\w+|\{\}', rest) for name, rest in rows}
    return {name for name, row in cells.items() if len(row) > 2 and row[2] not in ("{}", '""')}


def readers():
    for folder in "src", "proto/pg":
        for place, _, files in os.walk(os.path.join(ROOT, folder)):
            for name in files:
                if name.endswith((".h", ".cpp")) and not (folder == "proto/pg" and name.startswith("conninfo")):
                    yield text_of(os.path.join(place, name))


class Read(unittest.TestCase):
    # By which settings each struct's members may be named, and what its readers call it.
    SETTINGS = {"Conninfo": ("{}",), "Host": ("{}",), "Keepalives": ("keepalives_{}",), "Ssl": ("ssl{}", "ssl_{}")}
    OBJECTS = {"Conninfo": r"conninfo\w*", "Host": r"\w*[hH]ost\w*", "Keepalives": "keepalives", "Ssl": r"ssl\w*"}
    OTHER_SETTINGS = {("Ssl", "folder"): "sslcert", ("Conninfo", "ssl"): "sslmode"}
    # Their own functions, by which they are read too.
    FUNCTIONS = {("Host", "name"): "text", ("Host", "address"): "is_unix_socket", ("Host", "port"): "socket_path",
                 ("Host", "password"): "password_for", ("Conninfo", "password"): "password_for"}

    def test_each_member(self):
        sources = "\n".join(readers())
        known, missing = members(), refused()
        self.assertGreaterEqual(len(known), 40, known)
        for struct, name in known:
            settings = [form.format(name) for form in self.SETTINGS[struct]]
            if not missing.isdisjoint([*settings, self.OTHER_SETTINGS.get((struct, name))]):
                continue
            reads = rf"\b{self.OBJECTS[struct]}(\(\))?(\.|->){name}\b"
            if function := self.FUNCTIONS.get((struct, name)):
                reads += rf"|(\.|->){function}\("
            with self.subTest(struct=struct, member=name):
                self.assertTrue(re.search(reads, sources), "nobody reads it")


if __name__ == "__main__":
    unittest.main()
