"""That the image's build context (ringpost.Dockerfile.dockerignore) holds all that meson reads: needs no engine."""
import fnmatch
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES = (ROOT / "loadtest/compose/ringpost.Dockerfile.dockerignore").read_text().splitlines()
PATTERNS = [line for line in LINES if line and not line.startswith("#")]


def sent(path):
    """By the last pattern that matches the path or a folder above it, as Docker does."""
    names = [path, *map(str, pathlib.PurePath(path).parents)][:-1]
    answer = True
    for pattern in PATTERNS:
        plain = pattern.removeprefix("!")
        if any(fnmatch.fnmatch(name, form) for name in names for form in {plain, plain.removeprefix("**/")}):
            answer = pattern.startswith("!")
    return answer


listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True,
                        stdout=subprocess.PIPE)
if listed.returncode != 0:
    sys.exit(77)  # no checkout: nothing tells the sources from what lies beside them
with tempfile.TemporaryDirectory() as folder:
    for path in filter(sent, listed.stdout.splitlines()):
        if (ROOT / path).is_file():
            target = pathlib.Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target)
    done = subprocess.run(["meson", "setup", "build"], cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"{done.stdout[-3000:]}\nmeson can't configure in the image: ringpost.Dockerfile.dockerignore lacks a path")
