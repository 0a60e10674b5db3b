#!/usr/bin/env python3
"""Writes saslprep_tables.cpp: the tables of RFC 3454 that SASLprep names, and Unicode's for NFKC.

    python3 proto/pg/saslprep_tables.py > proto/pg/saslprep_tables.cpp

Code points that Unicode 3.2 had not assigned are prohibited, so normalisation is needed for the others alone; it is that of the
unicodedata of the Python that runs this (normalisation of assigned characters is stable).
"""
import stringprep
import unicodedata

ASSIGNED = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and not stringprep.in_table_a1(chr(c))]
HANGUL = range(0xAC00, 0xAC00 + 11172)  # by arithmetic, not by table


def ranges(test):
    found = []
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000 or not test(chr(c)):
            continue
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def prohibited(c):
    return any(
        (
            stringprep.in_table_a1(c),
            stringprep.in_table_c12(c),
            stringprep.in_table_c21_c22(c),
            stringprep.in_table_c3(c),
            stringprep.in_table_c4(c),
            stringprep.in_table_c5(c),
            stringprep.in_table_c6(c),
            stringprep.in_table_c7(c),
            stringprep.in_table_c8(c),
            stringprep.in_table_c9(c),
        )
    )


def print_ranges(name, found):
    print(f"const std::span<const CodePointRange> {name} = [] {{")
    print("  static constexpr CodePointRange table[] = {")
    print_wrapped(f"{{0x{a:x}, 0x{b:x}}}" for a, b in found)
    print("  };\n  return std::span<const CodePointRange>(table);\n}();\n")


def print_wrapped(items):
    line = "     "
    for item in items:
        if len(line) + len(item) > 97:
            print(line)
            line = "     "
        line += " " + item + ","
    print(line)


def full_decompositions():
    for c in ASSIGNED:
        if c not in HANGUL:
            text = unicodedata.normalize("NFKD", chr(c))
            if text != chr(c):
                yield c, [ord(d) for d in text]


def compositions():
    for c in ASSIGNED:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            if unicodedata.normalize("NFC", chr(c)) == chr(c):  # not excluded from composition
                yield int(parts[0], 16), int(parts[1], 16), c


def main():
    print("// Written by saslprep_tables.py; do not edit.")
    print(f"// Unicode 3.2 decides what is assigned, Unicode {unicodedata.unidata_version} how it is normalised.")
    print('#include "proto/pg/saslprep_tables.h"\n\nnamespace ringpost::proto::pg::detail {\n')
    print_ranges("mapped_to_space", ranges(stringprep.in_table_c12))
    print_ranges("mapped_to_nothing", ranges(stringprep.in_table_b1))
    print_ranges("prohibited", ranges(prohibited))
    print_ranges("right_to_left", ranges(stringprep.in_table_d1))
    print_ranges("left_to_right", ranges(stringprep.in_table_d2))

    classes = [(c, unicodedata.combining(chr(c))) for c in ASSIGNED if unicodedata.combining(chr(c))]
    print("const std::span<const CombiningClass> combining_classes = [] {\n  static constexpr CombiningClass table[] = {")
    print_wrapped(f"{{0x{c:x}, {k}}}" for c, k in classes)
    print("  };\n  return std::span<const CombiningClass>(table);\n}();\n")

    text, entries = [], []
    for c, parts in full_decompositions():
        entries.append((c, len(text), len(parts)))
        text += parts
    print("const std::span<const char32_t> decomposed = [] {\n  static constexpr char32_t table[] = {")
    print_wrapped(f"0x{c:x}" for c in text)
    print("  };\n  return std::span<const char32_t>(table);\n}();\n")
    print("const std::span<const Decomposition> decompositions = [] {\n  static constexpr Decomposition table[] = {")
    print_wrapped(f"{{0x{c:x}, {at}, {n}}}" for c, at, n in entries)
    print("  };\n  return std::span<const Decomposition>(table);\n}();\n")

    print("const std::span<const Composition> compositions = [] {\n  static constexpr Composition table[] = {")
    print_wrapped(f"{{0x{a:x}, 0x{b:x}, 0x{c:x}}}" for a, b, c in sorted(compositions()))
    print("  };\n  return std::span<const Composition>(table);\n}();\n")
    print("}  // namespace ringpost::proto::pg::detail")


main()
