"""What `meson install` of the build in BUILD brings to those who use the library, and commands that build by it."""
import os
import subprocess

import stage


def run(*command, **arguments):
    """What it prints; it has to succeed."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120 * stage.SLOW, **arguments)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
    return done.stdout


def flags_of(package, root):
    """Installs below `root`; what pkg-config says of the package, of which nothing of ours is from elsewhere."""
    run("meson", "install", "-C", os.environ["BUILD"], "--no-rebuild", "--quiet", "--skip-subprojects", "--tags", "devel",
        "--destdir", root)
    found = [path for path, _, names in os.walk(root) if package + ".pc" in names]
    assert len(found) == 1, found
    flags = run("pkg-config", "--cflags", "--libs", package, env={**os.environ, "PKG_CONFIG_PATH": found[0]}).split()
    for flag in flags:
        if flag[:2] in ("-I", "-L") and "ringpost" in flag:
            assert os.path.realpath(flag[2:]).startswith(os.path.realpath(root)), flag
    return flags


def build(source, program, flags):
    run("g++", "-std=c++23", "-Wall", "-Wextra", "-Werror", source, "-o", program, *flags)
