"""docs/http.md names a test for each rule, and each way in which the fuzzer lets llhttp differ: all of them exist, and none is left out."""
import ast
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/http.md").read_text()
RULES = PAGE.split("## Beside nginx and Go")[0]


def gtests():
    """Suite.Name of each."""
    found = set()
    for file in (ROOT / "tests").rglob("*_test.cpp"):
        found.update(".".join(names) for names in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", file.read_text(), re.MULTILINE))
    return found


def unittests():
    """file.Class.test of each."""
    found = set()
    for file in (ROOT / "tests/integration").glob("*_test.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found.update(f"{file.stem}.{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef))
    return found


def rows(text, columns):
    """The cells of each row of its tables, but their heads."""
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    for cells in found:
        if len(cells) != columns:
            raise AssertionError(f"a row has {len(cells)} cells, not {columns}: {cells}")
    return found


class Rules(unittest.TestCase):
    def test_each_has_tests_that_exist(self):
        existing = gtests() | unittests()
        rules = [cells for cells in rows(RULES, 4) if cells[0] != "section"]
        self.assertGreater(len(rules), 60)
        for section, rule, _, tests in rules:
            with self.subTest(section=section, rule=rule):
                names = re.findall(r"`([^`]+)`", tests)
                self.assertTrue(names, "no test")
                self.assertEqual([name for name in names if name not in existing], [], "there are no such tests")

    def test_names_elsewhere_exist_too(self):
        names = set(re.findall(r"`(\w+_test\.\w+\.test_\w+)`", PAGE))
        self.assertEqual(names - unittests(), set())


class Differences(unittest.TestCase):
    def test_the_page_and_the_fuzzer_know_the_same(self):
        source = (ROOT / "tests/fuzz/llhttp_fuzz.cpp").read_text()
        in_fuzzer = re.findall(r'^    \{"([^"]+)",', source, re.MULTILINE)
        self.assertGreater(len(in_fuzzer), 5)
        in_page = [cells[1] for cells in rows(PAGE.split("## Beside llhttp")[1], 3) if cells[1] != "way"]
        self.assertEqual(in_page, in_fuzzer)


if __name__ == "__main__":
    unittest.main()
