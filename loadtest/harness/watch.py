"""What is looked at throughout a turn, beside its load: answers, connections, CPUs, memory, control group. A few looks a second, on the CPUs
of PostgreSQL and the generator."""
import http.client
import os
import random
import threading

from . import contract, fairness, processes

EVERY_S = 0.25
A_PAGE_IN = 8  # of the answers that are compared


class Repeated(threading.Thread):
    """Calls a function every EVERY_S until its end, where what it raised is raised."""

    def __init__(self, look, cpus):
        super().__init__(daemon=True)
        self.look, self.cpus, self.over, self.failure = look, cpus, threading.Event(), None
        self.start()

    def run(self):
        os.sched_setaffinity(0, self.cpus)  # of this thread
        try:
            while not self.over.wait(EVERY_S):
                self.look()
        except Exception as failure:
            self.failure = failure

    def end(self):
        self.over.set()
        self.join()
        if self.failure:
            raise self.failure


class Answers:
    """Asks as the load does, for users and pages by chance, and compares with the table."""

    def __init__(self, address, users, timeout_s=3):  # more than the contract's deadline
        self.client, self.users, self.random = contract.Client(address, timeout_s), users, random.Random()
        self.asked = self.compared = self.failed = 0
        self.difference = None  # the first: what was asked, expected, seen

    def look(self):
        self.asked += 1
        if self.asked % A_PAGE_IN == 0:
            offset = self.random.randrange(len(self.users) - fairness.PAGE_ROWS + 1)
            target, value = f"/users?limit={fairness.PAGE_ROWS}&offset={offset}", contract.page(self.users, fairness.PAGE_ROWS, offset)
        else:
            value = self.random.choice(self.users)
            target = f"/users/{value['id']}"
        try:
            answer = self.client.ask("GET", target)
        except (OSError, http.client.HTTPException):
            answer = None
        if answer is None or answer[0] >= 500:
            self.failed += 1  # an error, as the generator counts them
            return
        self.compared += 1
        if not self.difference and (found := contract.difference(answer, 200, value)):
            self.difference = f"GET {target}", *found


class Watch:
    """Begins when it is made; `end` gives the rules that the turn was checked by."""

    def __init__(self, running, database):
        self.running, self.database = running, database
        self.cpus, self.outside, self.most_connections, self.peak_mib, self.memory_mib = set(), set(), 0, 0, 0
        self.throttled_s = processes.throttled_s(running.process.pid)
        others = running.mode.others_cpus
        self.answers = Answers(f"127.0.0.1:{running.port}", database.users())
        self.threads = [Repeated(look, others) for look in (self.look, self.answers.look)]

    def look(self):
        pids = self.running.pids()
        self.cpus |= processes.affinity(pids)
        self.outside |= self.running.outside(pids)
        self.peak_mib = max(self.peak_mib, processes.peak_memory_mib(pids))  # now, for those that end before the load does
        self.memory_mib = max(self.memory_mib, processes.memory_mib(pids))
        self.most_connections = max(self.most_connections, self.database.clients())

    def end(self, load):
        for thread in self.threads:
            thread.end()
        self.look()
        running, database = self.running, self.database
        memory = fairness.memory(running, self.peak_mib)
        if not memory.held:
            return [memory]  # what it was ended for, rather than what followed
        return [
            memory, fairness.answers_under_load(running, self.answers), fairness.same_sql(running, database),
            fairness.statements_under_load(running, database, load, self.answers.compared),
            fairness.connections(running, database, self.most_connections), fairness.affinity(running, self.cpus),
            fairness.grouped(running, self.outside),
            fairness.throttling(running, self.throttled_s, processes.throttled_s(running.process.pid))]
