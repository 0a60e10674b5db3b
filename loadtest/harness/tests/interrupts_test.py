"""An end that was asked for: never lost, never between a start and the note of it. Each test is a program of its own, which
sends itself the signal at a chosen point."""
import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BEGIN = """
import os, signal, sys, time, weakref
from loadtest.harness import interrupts, programs
interrupts.listen()
def ask(number=signal.SIGINT):
    os.kill(os.getpid(), number)
    time.sleep(0)
"""


def program(text):
    return subprocess.run([sys.executable, "-c", BEGIN + text], cwd=ROOT, capture_output=True, text=True, timeout=60)


class Interrupts(unittest.TestCase):
    def test_both_signals_end_a_wait(self):
        for number in "SIGINT", "SIGTERM":
            done = program(f"try:\n    ask(signal.{number})\n    print('went on')\nexcept KeyboardInterrupt:\n    print('ended')\n")
            self.assertEqual((done.stdout, done.stderr), ("ended\n", "ending what was started\n"))

    def test_held_back_until_the_start_is_noted(self):
        done = program("""
try:
    with interrupts.held():
        with interrupts.held():
            ask()
        print('noted', flush=True)
    print('went on')
except KeyboardInterrupt:
    print('ended')
""")
        self.assertEqual(done.stdout, "noted\nended\n")

    def test_one_that_a_finalizer_drops_is_raised_before_new_work(self):
        done = program("""
class Thing: pass
thing = Thing()
watched = weakref.ref(thing, lambda _: ask())
del thing
print('dropped')
try:
    interrupts.check()
    print('went on')
except KeyboardInterrupt:
    print('ended')
""")
        self.assertIn("Exception ignored in", done.stderr)
        self.assertEqual(done.stdout, "dropped\nended\n")

    def test_a_second_one_does_not_cut_short_what_the_first_began(self):
        done = program("""
try:
    try:
        ask()
    finally:
        ask()
        with interrupts.held():
            ask()
        print('cleaned')
except KeyboardInterrupt:
    print('ended')
""")
        self.assertEqual(done.stdout, "cleaned\nended\n")

    def test_what_a_program_started_ends_with_it(self):
        done = program("""
import threading
threading.Timer(0.5, ask).start()
try:
    programs.run(['bash', '-c', 'sleep 1234.5 & echo $! >&2; wait'], stderr=None)
except KeyboardInterrupt:
    print('ended')
""")
        self.assertEqual(done.stdout, "ended\n")
        sleeper = int(done.stderr.splitlines()[0])
        end = time.monotonic() + 5
        while os.path.exists(f"/proc/{sleeper}") and time.monotonic() < end:
            time.sleep(0.01)
        self.assertFalse(os.path.exists(f"/proc/{sleeper}"), "the program's child lives on")

    def test_a_program_is_asked_before_it_is_killed(self):
        done = program("""
import threading
threading.Timer(0.5, ask).start()
try:
    programs.run(['bash', '-c', 'trap "sleep 0.2; echo asked >&2; exit" TERM; sleep 60 & wait'], stderr=None)
except KeyboardInterrupt:
    print('ended')
""")
        self.assertEqual((done.stdout, done.stderr), ("ended\n", "ending what was started\nasked\n"))

    def test_a_program_that_does_not_listen_is_killed(self):
        done = program("""
process = programs.start(['bash', '-c', 'trap "" TERM; while true; do sleep 0.1; done'])
time.sleep(0.3)
programs.end(process, grace_s=0.5)
print(process.returncode)
""")
        self.assertEqual(done.stdout, "-9\n", done.stderr)

    def test_a_program_has_the_cpus_that_were_chosen_and_the_harness_keeps_its_own(self):
        done = program("""
mine = os.sched_getaffinity(0)
print(programs.run(['nproc'], cpus={min(mine)}).stdout.strip(), os.sched_getaffinity(0) == mine)
""")
        self.assertEqual(done.stdout, "1 True\n")


if __name__ == "__main__":
    unittest.main()
