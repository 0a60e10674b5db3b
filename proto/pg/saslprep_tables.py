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


def print_table(name, of, items):
    print(f"constexpr {of} {name}_table[] = {{")
    print_wrapped(items)
    print("};")
    print(f"constinit const std::span<const {of}> {name}({name}_table);\n")


def print_ranges(name, found):
    print_table(name, "CodePointRange", (f"{{0x{a:x}, 0x{b:x}}}" for a, b in found))


def print_wrapped(items):
    line = "   "
    for item in items:
        if len(line) + len(item) > 97:
            print(line)
            line = "   "
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
    print("// clang-format off")
    print('#include "proto/pg/saslprep_tables.h"\n\nnamespace ringpost::proto::pg::detail {\n')
    print_ranges("mapped_to_space", ranges(stringprep.in_table_c12))
    print_ranges("mapped_to_nothing", ranges(stringprep.in_table_b1))
    print_ranges("prohibited", ranges(prohibited))
    print_ranges("right_to_left", ranges(stringprep.in_table_d1))
    print_ranges("left_to_right", ranges(stringprep.in_table_d2))

    classes = [(c, unicodedata.combining(chr(c))) for c in ASSIGNED if unicodedata.combining(chr(c))]
    print_table("combining_classes", "CombiningClass", (f"{{0x{c:x}, {k}}}" for c, k in classes))

    text, entries = [], []
    for c, parts in full_decompositions():
        entries.append((c, len(text), len(parts)))
        text += parts
    print_table("decomposed", "char32_t", (f"0x{c:x}" for c in text))
    print_table(
        "decompositions", "Decomposition", (f"{{0x{c:x}, {at}, {n}}}" for c, at, n in entries)
    )
    print_table(
        "compositions",
        "Composition",
        (f"{{0x{a:x}, 0x{b:x}, 0x{c:x}}}" for a, b, c in sorted(compositions())),
    )
    print("}  // namespace ringpost::proto::pg::detail")


main()
