"""A seed repeats all that happens, in another process at other addresses: that is what a replay rests on.

    repeat_test.py SIMULATE
"""
import subprocess
import sys


def hashes():
    return subprocess.run([sys.argv[1], '--hashes', '1', '60'], check=True, capture_output=True, text=True).stdout


first, second = hashes(), hashes()
assert first.count('\n') == 60 and len(set(line.split()[1] for line in first.splitlines())) == 60, first
differing = [one for one, other in zip(first.splitlines(), second.splitlines()) if one != other]
assert not differing, f'seeds that do not repeat: {differing}'
