"""A run's folder: run.json, turns.jsonl (the raw data, a line as soon as a turn is over), summary.json. Resuming is reading
which turns are there already."""
import json
from pathlib import Path


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
