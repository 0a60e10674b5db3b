"""The programs that the harness starts, on CPUs of its choice. Each has a session of its own: Ctrl-C reaches the harness
alone, which ends them."""
import os
import signal
import subprocess
import time

from . import interrupts


def start(command, cpus=None, **options):
    """As subprocess.Popen. To be called where interrupts are held, until it is noted who ends it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus or before)  # of this thread, which the program inherits
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    finally:
        os.sched_setaffinity(0, before)


def run(command, cpus=None, limit_s=None, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options):
    """As subprocess.run; what it started ends with it, also when it is cut short."""
    process = None
    try:
        with interrupts.held():
            process = start(command, cpus, text=text, stdout=stdout, stderr=stderr, **options)
        out, err = process.communicate(timeout=limit_s)
    except BaseException:
        if process:
            end(process)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def end(process, grace_s=5.0):
    """Ends it and what it started: asks first, since ninja's compilers live on when ninja is killed, then kills what is left."""
    for number in signal.SIGTERM, signal.SIGKILL:
        last = time.monotonic() + grace_s
        alive = signal_group(process, number)
        while alive and time.monotonic() < last:
            time.sleep(0.01)
            alive = signal_group(process, 0)
    with process:  # closes its pipes
        pass


def signal_group(process, number):
    """Whether any of its group is there."""
    process.poll()
    try:
        os.killpg(process.pid, number)
        return True
    except ProcessLookupError:
        return False
