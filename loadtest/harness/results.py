"""A run's folder: run.json, turns.jsonl (the raw data, a line as soon as a turn is over), summary.json. Resuming is reading
which turns are there already, of the same program on the same machine."""
import hashlib
import json
import shutil
from pathlib import Path

from . import programs
from .contender import Problem

# What decides what is measured; the rest of run.json may differ between a run's beginning and what goes on with it.
SAME = "commit", "machine", "machine_id", "versions", "postgresql_settings", "plan", "modes", "contenders"


def commit(root):
    """The tree's commit, with a digest of what differs from it; None where git can't say."""
    git = ["git", "-C", str(root)]
    if not Path(root, ".git").exists() or not shutil.which("git"):
        return None
    head = programs.run([*git, "rev-parse", "--short", "HEAD"])
    changes = programs.run([*git, "diff", "HEAD"]).stdout
    return head.stdout.strip() + (f"+{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else "")


def machine_id():
    """Tells machines of one kind apart; a digest, since machine-id(5) is to be kept to the machine."""
    try:
        return hashlib.sha256(b"ringpost comparison " + Path("/etc/machine-id").read_bytes()).hexdigest()[:8]
    except OSError:
        return None


def refuse_another(earlier, now):
    """Turns of two programs or machines are no one run, and a run in which a rule was broken stays void."""
    if earlier["void"]:
        raise Problem(f"there is nothing to go on with: a rule was broken: {earlier['void']}")
    for name in SAME:
        # As JSON, since what was read has been through it.
        then, here = earlier.get(name), json.loads(json.dumps(now[name]))
        if then == here:
            continue
        if isinstance(then, dict) and isinstance(here, dict):
            name, then, here = next((f"{name}, {key}", then.get(key), here.get(key)) for key in {**then, **here} if then.get(key) != here.get(key))
        raise Problem(f"this is another run than the one to go on with: {name} was {then}, here it is {here}"[:400])


class Results:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path = self.folder / "turns.jsonl"
        self.turns = [json.loads(line) for line in self._path.read_text().splitlines()] if self._path.exists() else []

    def add(self, record):
        self.turns.append(record)
        with open(self._path, "a") as file:
            file.write(json.dumps(record) + "\n")

    def of(self, **wanted):
        return [turn for turn in self.turns if all(turn[name] == value for name, value in wanted.items())]

    def write(self, name, value):
        part = self.folder / (name + ".part")
        part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
        part.rename(self.folder / name)

    def read(self, name):
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else None
