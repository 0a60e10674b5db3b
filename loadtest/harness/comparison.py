"""The comparison itself: who is run when, under which loads. Contenders take turns within each repeat (A B C, B C A, ...);
each is started anew for its turn, checked, warmed, loaded by every scenario, and drained."""
import time
from pathlib import Path

from loadtest.report import summary

from . import fairness, faults, generators, interrupts, processes, turn
from .contender import Running, fill
from .effort import OBJECTIVE

SATURATION_CONNECTIONS = 64
# As the original's figures imply: about 10 requests/s a user.
THINK_MS, LIGHT_USERS, HEAVY_USERS = 95, 10, 100
MIXED_PAGES = 0.2
TRIES = 3  # of a turn, where the machine was busy with something else


class Comparison:
    def __init__(self, root, contenders, modes, database, results, effort, scratch):
        self.contenders, self.modes, self.database, self.results = contenders, modes, database, results
        self.effort, self.scratch = effort, Path(scratch)
        self.root, self.rules, self.users = root, [], None
        self.lookups, self.mixed, self.control = (self.scratch / name for name in ("lookups", "mixed", "control"))
        self.subject = next((c for c in contenders if c.subject), None)
        self.begun, self.done, self.planned = time.monotonic(), 0.0, self.plan_s()

    # What is to come, in seconds: the loads, and about what a start, its checks and a drain take.

    def session_s(self):
        e = self.effort
        loads = [e.saturation_s, e.mixed_s, e.light_s, e.heavy_s, *[e.rate_s] * len(e.rates), *[e.clients_s] * len(e.clients)]
        return 2 + e.warm_up_s + sum(loads) + (turn.CONTROL_S + 0.2) * len(loads)

    def capacity_session_s(self):
        return 2 + self.effort.warm_up_s + self.effort.capacity_steps * (self.effort.capacity_s + turn.CONTROL_S + 0.2)

    def faults_session_s(self):
        return 3 + len(faults.KINDS) * (faults.BEFORE_S + self.effort.after_fault_s + 0.7) + self.effort.frozen_s

    def ablations(self):
        return self.subject.ablations if self.subject else []

    def plan_s(self):
        e, each = self.effort, len(self.contenders) * len(self.modes)
        return (each * (e.repeats * self.session_s() + e.capacity_repeats * self.capacity_session_s())
                + len(self.contenders) * e.fault_repeats * self.faults_session_s()
                + len(self.ablations()) * e.ablation_repeats * (2 + e.warm_up_s + e.ablation_s))

    def say(self, text, spent_s=0.0):
        self.done += spent_s
        if self.done > 0.02 * self.planned:
            left = (self.planned - self.done) * (time.monotonic() - self.begun) / self.done
            text += f"  (about {max(0, left) / 60:.0f} min left)" if left > 90 else f"  (about {max(0, left):.0f} s left)"
        print(text, flush=True)

    # Rules.

    def hold(self, rule):
        """Keeps what was seen; a rule that is not held ends the run."""
        known = [r for r in self.rules if (r.rule, r.mode, r.contender) == (rule.rule, rule.mode, rule.contender)]
        if not known:
            self.rules.append(rule)
        elif rule.rule in ("the same memory limit", "the same connection budget"):
            known[0].seen = max(known[0].seen, rule.seen, key=leading_number)
        elif rule.rule == "the same answers under load":
            known[0].seen = f"{leading_number(known[0].seen) + leading_number(rule.seen):.0f} compared"
        if not rule.held:
            if known:
                self.rules[self.rules.index(known[0])] = rule
            raise fairness.Broken(rule)

    # One contender's turns.

    def environment(self, contender, mode, settings=None, url=None):
        values = mode.values()
        named = {**contender.settings, **(settings or {})}
        return {**{k: fill(str(v), values) for k, v in named.items()}, "DATABASE_URL": url or self.database.url}

    def places(self, contender):
        return {"build": self.scratch / "build" / contender.name, "root": self.root}

    def session(self, contender, mode, work, **changes):
        """Starts it, lets `work` use it, drains it."""
        self.database.move_to(mode.others_cpus)
        with open(self.scratch / f"{contender.name}.log", "a") as log:
            running = Running(contender, self.places(contender), mode, self.environment(contender, mode, **changes), log)
            try:
                running.start()
                running.wait_ready()
                self.check(running)
                work(running)
                status = running.stop()
            except processes.Unreadable as why:
                self.hold(fairness.unreadable(running, why))
            finally:
                running.stop()
        if status != 0:
            self.hold(fairness.Rule("SIGTERM drains", mode.name, contender.name, False, "exit status 0 within 15 s",
                                    "killed" if status is None else str(status)))

    def closed(self, running, scenario, seconds, connections, think_ms=0, pages=0.0, repeat=0, step=None, variant=None):
        targets = self.mixed if pages else self.lookups
        load = lambda: generators.closed_loop(running.port, targets, running.mode.others_cpus, seconds, connections, think_ms)
        rate = connections * 1000 / think_ms if think_ms else 0
        return self.take(running, load, rate, scenario=scenario, repeat=repeat, loop="closed", step=step, variant=variant)

    def open(self, running, scenario, seconds, rate, repeat, variant=None):
        load = lambda: generators.open_loop(running.port, self.lookups, running.mode.others_cpus, seconds, rate)
        return self.take(running, load, rate, scenario=scenario, repeat=repeat, loop="open", step=rate, variant=variant)

    def take(self, running, load, rate, **named):
        """A turn behind its control; one that is void for what the machine did meanwhile is made again, TRIES times in all."""
        seen = {"step": None, "variant": None, **{name: value for name, value in named.items() if name != "loop"}}
        earlier = self.results.of(mode=running.mode.name, contender=running.contender.name, **seen)
        for _ in range(len(earlier), TRIES):
            if earlier and not earlier[-1]["void"]:
                break  # of the run that is gone on with, or of the last try
            interrupts.check()
            controlled = turn.control(running, self.control, rate)
            record, rules = turn.measure(running, self.database, load, controlled=controlled, **named)
            for rule in rules:
                self.hold(rule)
            self.results.add(record)
            earlier.append(record)
            if record["limit"] == "generator":
                break  # it would be again
        return earlier[-1]

    def warm(self, running):
        generators.closed_loop(running.port, self.mixed, running.mode.others_cpus, self.effort.warm_up_s, SATURATION_CONNECTIONS)

    def check(self, running):
        self.hold(fairness.same_table(running, self.database))
        self.hold(fairness.same_answers(running, self.users))
        self.hold(fairness.statements(running, self.database, self.users))
        self.hold(fairness.same_sql(running, self.database))
        if "io_uring" in running.contender.uses:
            self.hold(fairness.io_uring(running))

    def scenarios(self, contender, mode, repeat):
        e = self.effort

        def work(running):
            self.warm(running)
            self.closed(running, "saturation", e.saturation_s, SATURATION_CONNECTIONS, repeat=repeat)
            self.closed(running, "mixed", e.mixed_s, SATURATION_CONNECTIONS, pages=MIXED_PAGES, repeat=repeat)
            self.closed(running, "light", e.light_s, LIGHT_USERS, THINK_MS, repeat=repeat)
            self.closed(running, "heavy", e.heavy_s, HEAVY_USERS, THINK_MS, repeat=repeat)
            for clients in e.clients:
                self.closed(running, "clients", e.clients_s, clients, step=clients, repeat=repeat)
            for rate in e.rates:
                self.open(running, "rate", e.rate_s, rate, repeat)

        here = {"mode": mode.name, "contender": contender.name, "repeat": repeat, "variant": None}
        wanted = {"saturation": 1, "mixed": 1, "light": 1, "heavy": 1, "rate": len(e.rates), "clients": len(e.clients)}
        if any(len({record["step"] for record in self.results.of(scenario=scenario, **here)}) < count for scenario, count in wanted.items()):
            self.session(contender, mode, work)
        seen = self.results.of(scenario="saturation", **here)[-1]
        cost = seen["cpu_s"]["contender"] / max(1, seen["requests"]) * 1e6
        self.say(f"{mode.name:>6} {repeat + 1}/{e.repeats} {contender.name:<10} {seen['rps']:>8,.0f} requests/s, "
                 f"p99 {seen['latency_ms']['p99']:.2f} ms, {cost:.1f} us of CPU a request, limit: {seen['limit']}", self.session_s())

    def capacity(self, contender, mode, repeat):
        """Each rate where the turns so far leave most open, those of earlier repeats too (statistics.Threshold)."""
        found = lambda: self.results.of(mode=mode.name, contender=contender.name, scenario="capacity")
        known = len([record for record in found() if record["repeat"] == repeat])
        if known >= self.effort.capacity_steps:
            self.done += self.capacity_session_s()
            return
        threshold = summary.threshold(self.results.turns, mode.name, contender.name, OBJECTIVE)

        def work(running):
            self.warm(running)
            for _ in range(known, self.effort.capacity_steps):
                record = self.open(running, "capacity", self.effort.capacity_s, round(threshold.next()), repeat)
                if not record["void"]:
                    threshold.observe(record["step"], summary.keeps(record, OBJECTIVE))

        self.session(contender, mode, work)
        self.say("{:>6} {}/{} {:<10} holds {:,.0f} requests/s ({:,.0f} to {:,.0f}) with p99 under {} ms".format(
            mode.name, repeat + 1, self.effort.capacity_repeats, contender.name, *threshold.quantiles(0.5, 0.025, 0.975), OBJECTIVE["p99_ms"]),
            self.capacity_session_s())

    def fault(self, contender, mode, repeat):
        known = self.results.of(mode=mode.name, contender=contender.name, repeat=repeat, scenario="faults")
        if len(known) == len(faults.KINDS):
            self.done += self.faults_session_s()
            return
        told = []
        self.database.renew()  # each of the faults leaves something behind

        def work(running):
            self.warm(running)
            for kind in faults.KINDS:
                if any(record["fault"]["kind"] == kind for record in known):
                    continue
                interrupts.check()
                record = faults.run(running, self.database, self.users[:500], kind, repeat, self.effort.frozen_s,
                                    self.effort.after_fault_s)
                self.results.add(record)
                seen = record["fault"]
                told.append(f"{kind}: {seen['errors']} errors, {seen['wrong']} wrong, {seen['recovered_s']:.1f} s")

        self.session(contender, mode, work)
        self.say(f"faults {repeat + 1}/{self.effort.fault_repeats} {contender.name:<10} {'; '.join(told)}", self.faults_session_s())

    def ablation(self, ablation, repeat):
        e, mode, name = self.effort, self.modes.get(ablation["mode"]), ablation["name"]
        if mode is None or self.results.of(variant=name, repeat=repeat):
            return
        url = self.database.url_over_socket() if ablation.get("socket") else None
        taken = []

        def work(running):
            self.warm(running)
            taken.append(self.closed(running, "saturation", e.ablation_s, SATURATION_CONNECTIONS, repeat=repeat, variant=name))

        self.session(self.subject, mode, work, settings=ablation.get("settings"), url=url)
        self.say(f"ablation {repeat + 1}/{e.ablation_repeats} {name:<34} {taken[0]['rps']:>8,.0f} requests/s",
                 2 + e.warm_up_s + e.ablation_s)

    # The whole.

    def run(self):
        self.users = self.database.users()
        ids = [user["id"] for user in self.users]
        generators.write_targets(self.lookups, ids)
        generators.write_targets(self.mixed, ids, MIXED_PAGES)
        self.control.write_text("/healthz\n")
        e = self.effort
        for mode in self.modes.values():
            for repeat in range(e.repeats):
                for contender in rotated(self.contenders, repeat):
                    self.scenarios(contender, mode, repeat)
            for repeat in range(e.capacity_repeats):
                for contender in rotated(self.contenders, repeat):
                    self.capacity(contender, mode, repeat)
        mode = next(iter(self.modes.values()))
        for repeat in range(e.fault_repeats):
            for contender in rotated(self.contenders, repeat):
                self.fault(contender, mode, repeat)
        if e.ablation_repeats and self.ablations():
            self.database.renew()
        for repeat in range(e.ablation_repeats):
            for ablation in rotated(self.ablations(), repeat):
                self.ablation(ablation, repeat)


def rotated(items, by):
    by %= max(1, len(items))
    return items[by:] + items[:by]


def leading_number(text):
    digits = text.split()[0]
    return float(digits) if digits.replace(".", "").isdigit() else -1.0
