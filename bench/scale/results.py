"""The data: run.json says of what, measured.jsonl has a line a measurement, written as soon as it is over."""
import json
import statistics
from pathlib import Path

from loadtest.harness.contender import Problem


class Data:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.path, self.about = self.folder / "measured.jsonl", self.folder / "run.json"
        self.records = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
        self.run = json.loads(self.about.read_text()) if self.about.exists() else None

    def begin(self, subject, commit, anew=False):
        if anew:
            self.records, self.run = [], None
            self.path.unlink(missing_ok=True)
        if self.run and self.records and self.run["subject"] != subject:
            raise Problem(f"{self.path} is of another program or machine; --anew forgets it, --out takes another folder")
        if not self.records:
            self.run = {"subject": subject, "commit": commit}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.about.write_text(json.dumps(self.run, indent=1) + "\n")

    def has(self, row, number):
        return any(record["round"] == number for record in self.of(row.axis, row.value))

    def add(self, row, number, seen):
        settings = {"clients": row.clients, "users": row.users, "shards": row.shards, "connections": row.connections}
        record = {"axis": row.axis, "value": row.value, "round": number, **settings,
                  **{name: round(value, 4) if isinstance(value, float) else value for name, value in seen.items()}}
        self.records.append(record)
        with open(self.path, "a") as file:
            file.write(json.dumps(record) + "\n")

    def of(self, axis, value):
        return [record for record in self.records if record["axis"] == axis and record["value"] == value]

    def values(self, axis):
        return sorted({record["value"] for record in self.records if record["axis"] == axis})

    def figure(self, axis, value, name):
        """(median, least, most) over the rounds; None where there is none: a load without an answer has no latency."""
        return spread([record[name] for record in self.of(axis, value) if record.get(name) is not None])

    def ratio(self, axis, value, name, of):
        """The same of one figure as part of another of its round."""
        return spread([record[name] / record[of] for record in self.of(axis, value) if record.get(name) and record.get(of)])


def spread(seen):
    return (statistics.median(seen), min(seen), max(seen)) if seen else None
