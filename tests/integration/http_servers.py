#!/usr/bin/env python3
"""What HTTP/1.1 servers make of the requests in http_cases.py, as the table in docs/http.md has it.

    http_servers.py [--update]      asks ringpost, nginx and Go's net/http, prints the table; --update writes it into the page
    http_servers.py --update-ours   asks ringpost alone and keeps the other columns

Behind the parts of a case goes a request whose answer is known by its status and by what it asks of the connection, so that
what the server took for the end of the case shows. RINGPOST is the server's program.
"""
import concurrent.futures
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import http_cases
import stage

PAGE = os.path.join(stage.ROOT, "docs/http.md")
BEGIN, END = "<!-- servers -->\n", "<!-- /servers -->\n"
PROBE = b"GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
PATIENCE_S = 2  # then the server waits for more, or for something else
BETWEEN_S = 0.3  # for an answer between two parts
NAMES = "ringpost", "nginx", "Go"
# Of the driver's 250 or so connections at once: others answer what they think of nine at a time well within the patience.
AT_ONCE = 16


def answers(data):
    """[(status, fields)] of all that came on a connection; "?" for what is no HTTP/1.x."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1."):
            return [*found, ("?", {})]
        lines = head.decode("latin-1").lower().split("\r\n")
        status, fields = int(lines[0].split()[1]), dict(re.split(r":\s*", line, maxsplit=1) for line in lines[1:])
        found.append((status, fields))
        if status < 200 or status in (204, 304) or rest.startswith(b"HTTP/1."):  # the last: of HEAD
            data = rest
        elif "chunked" in fields.get("transfer-encoding", ""):
            data = rest.partition(b"0\r\n\r\n")[2]
        else:
            data = rest[int(fields["content-length"]):] if "content-length" in fields else b""
    return found


def until(connection, enough):
    """What comes until `enough` of it is there, the end, or None for the patience's."""
    data = b""
    while not enough(data):
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            piece = b""
        except TimeoutError:
            return data, False
        if not piece:
            return data, True
        data += piece
    return data, False


def ask(port, case):
    """What is answered: the statuses, and what becomes of the connection: "200", "100 200", "400 closed", "closed", "waits"."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S * stage.SLOW) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        try:
            for part in case.parts[:-1]:
                connection.sendall(part)
                connection.settimeout(BETWEEN_S * stage.SLOW)
                received += until(connection, lambda data: b"\r\n\r\n" in data)[0]
                connection.settimeout(PATIENCE_S * stage.SLOW)
            connection.sendall(case.parts[-1] + (b"" if case.ends else PROBE))
            if case.ends:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # what was answered before it closed is still there to be read
        more, ended = until(connection, lambda data: False)
    found = answers(received + more)
    words = [str(status) for status, _ in found]
    if not ended:
        return " ".join([*words, "waits"])
    if case.ends:
        return " ".join(words or ["closed"])
    if found and found[-1][0] == 404 and found[-1][1].get("connection") == "close":
        return " ".join(words[:-1]) or "nothing"
    return " ".join([*words, "closed"])


def ask_all(port):
    """{group: {name of a case: what is answered}}"""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {group: {case.name: pool.submit(ask, port, case) for case in cases} for group, cases in http_cases.GROUPS.items()}
        return {group: {name: one.result() for name, one in cases.items()} for group, cases in asked.items()}


def wait_listening(port, process):
    def listening():
        if process.poll() is not None:
            raise AssertionError(f"{process.args[0]} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False
    stage.eventually(listening, 10, f"{process.args[0]} listens")


class Nginx:
    """nginx with its defaults before a folder with one file. Raises FileNotFoundError where there is none."""

    def __init__(self, folder):
        program = subprocess.run([os.path.join(stage.ROOT, "tools/nginx")], stdout=subprocess.PIPE, text=True)
        if program.returncode != 0:
            raise FileNotFoundError("nginx can't be had")
        os.makedirs(os.path.join(folder, "files"))
        with open(os.path.join(folder, "files/healthz"), "w") as file:
            file.write('{"status":"ok"}')
        self.port = stage.free_port()
        with open(os.path.join(os.path.dirname(__file__), "servers/nginx.conf")) as template:
            text = template.read().replace("FOLDER", folder).replace("PORT", str(self.port))
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w") as file:
            file.write(text)
        self.process = subprocess.Popen([program.stdout.strip(), "-p", folder, "-c", config], stderr=subprocess.DEVNULL)
        wait_listening(self.port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Go:
    """servers/server.go. Raises FileNotFoundError where there is no go."""

    def __init__(self, folder):
        self.port = stage.free_port()
        program = os.path.join(folder, "server")
        source = os.path.join(os.path.dirname(__file__), "servers/server.go")
        subprocess.run(["go", "build", "-o", program, source], check=True)
        self.process = subprocess.Popen([program, f"127.0.0.1:{self.port}"])
        wait_listening(self.port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def ask_others():
    found = []
    for server in Nginx, Go:
        with tempfile.TemporaryDirectory(prefix="ringpost-test-") as folder:
            running = server(folder)
            try:
                found.append(ask_all(running.port))
            finally:
                running.stop()
    return found


def table(columns):
    """Of what each of NAMES answered, as ask_all() has it."""
    lines = []
    for group, cases in http_cases.GROUPS.items():
        lines += [f"| **{group}** | {' | '.join(NAMES)} | why |", "|---|---|---|---|---|"] if not lines else [f"| **{group}** | | | | |"]
        for case in cases:
            cells = [column[group][case.name] for column in columns]
            why = case.why if set(cells) != {cells[0]} else ""
            lines.append(f"| {' | '.join([case.name.replace('|', ''), *cells, why])} |")
    return "\n".join(lines) + "\n"


def read_page():
    with open(PAGE) as page:
        return page.read()


def read_table(text):
    """What the page says: one dictionary for each of NAMES, as ask_all() has it."""
    columns, group = [{} for _ in NAMES], None
    for line in text.split(BEGIN)[1].split(END)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if cells[0].startswith("**"):
            group = cells[0].strip("*")
            for column in columns:
                column[group] = {}
        elif not line.startswith("|---"):
            for column, cell in zip(columns, cells[1:]):
                column[group][cells[0]] = cell
    return columns


def unexplained(columns):
    """The cases whose answers differ, and of which it isn't said why."""
    return [f"{group}: {case.name}" for group, cases in http_cases.GROUPS.items() for case in cases
            if not case.why and len({column[group][case.name] for column in columns}) != 1]


def main(words):
    if not set(words) <= {"--update", "--update-ours"}:
        sys.exit(__doc__)
    cluster_url = "host=127.0.0.1 port=1 user=nobody dbname=nothing"  # no case asks the database
    server = stage.Server(cluster_url, wait=False)
    try:
        server.wait_listening()
        ours = ask_all(server.port)
    finally:
        server.stop()
    columns = [ours, *(read_table(read_page())[1:] if "--update-ours" in words else ask_others())]
    print(table(columns), end="")
    for case in unexplained(columns):
        print(f"it isn't said why: {case}", file=sys.stderr)
    if words:
        before, rest = read_page().split(BEGIN)
        with open(PAGE, "w") as page:
            page.write(before + BEGIN + table(columns) + END + rest.split(END)[1])


if __name__ == "__main__":
    main(sys.argv[1:])
