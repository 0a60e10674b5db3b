#!/usr/bin/env python3
"""Starts a program under loadtest/compose/seccomp.json as containerd and CRI-O read a localhost profile of Kubernetes: the fields of the
OCI runtime's specification, and not those that are Docker's alone (archMap, includes). With no-new-privileges, without root.

    PROGRAM_UNDER_SECCOMP=/path under_seccomp.py ARGUMENT ...
"""
import ctypes
import errno
import json
import os
import pathlib
import sys

PROFILE = pathlib.Path(__file__).resolve().parents[2] / "loadtest/compose/seccomp.json"
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
OPERATORS = {name: at for at, name in enumerate(
    ("SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"), 1)}


class Comparison(ctypes.Structure):
    """scmp_arg_cmp"""
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def action(name, errno_value):
    return {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_ERRNO": ERRNO | (errno.EPERM if errno_value is None else errno_value)}[name]


def load(profile):
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    default = action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(default)))
    for rule in profile["syscalls"]:
        arguments = [Comparison(each["index"], OPERATORS[each["op"]], each["value"], each.get("valueTwo", 0)) for each in rule.get("args", [])]
        what = action(rule["action"], rule.get("errnoRet"))
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == -1:
                continue  # of another architecture, or newer than the library: what runtimes do, too
            done = library.seccomp_rule_add_array(context, ctypes.c_uint32(what), ctypes.c_int(number), ctypes.c_uint(len(arguments)),
                                                  (Comparison * len(arguments))(*arguments))
            if done != 0:
                sys.exit(f"under_seccomp: {name}: {os.strerror(-done)}")
    if done := library.seccomp_load(context):
        sys.exit(f"under_seccomp: the filter can't be set: {os.strerror(-done)}")


if __name__ == "__main__":
    program = os.environ["PROGRAM_UNDER_SECCOMP"]
    load(json.loads(PROFILE.read_text()))
    os.execve(program, [program, *sys.argv[1:]], os.environ)
