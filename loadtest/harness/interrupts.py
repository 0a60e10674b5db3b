"""Ctrl-C and SIGTERM. Python raises for a signal wherever it happens to be: between the start of a process and the note of
it, or in a finalizer, where exceptions are dropped. So the first one is held back where it would do harm and never lost,
and later ones change nothing: what is being ended by then ends in bounded time."""
import contextlib
import os
import signal
import threading

_asked = _pending = False
_held = 0


def listen():
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, _handle)


def _handle(number, frame):
    global _asked, _pending
    if _asked:
        return
    _asked = True
    os.write(2, b"ending what was started\n")
    if _held:
        _pending = True
    else:
        raise KeyboardInterrupt


@contextlib.contextmanager
def held():
    """Within it nothing is raised; at its end is, if it was asked for meanwhile. Of use in the main thread alone, which signals reach."""
    global _held, _pending
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if _pending and not _held:
        _pending = False
        raise KeyboardInterrupt


def check():
    """Before new work: raises if an end was asked for, also when the exception was dropped on its way."""
    if _asked:
        raise KeyboardInterrupt
