"""TLS and authentication, against a real PostgreSQL with certificates of its own: that the program gets in where libpq
does, and nowhere else; and that users are served."""
import os
import subprocess
import tempfile
import threading
import unittest

import stage
from stage import eventually, seed_id

cluster = None
folder = None
turn = 0


def setUpModule():
    global cluster, folder
    cluster = stage.Cluster(rows=1000)
    unittest.addModuleCleanup(cluster.destroy)
    temporary = tempfile.TemporaryDirectory(prefix="ringpost-tls-")
    unittest.addModuleCleanup(temporary.cleanup)
    folder = temporary.name
    for authority in "root", "stranger":
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={authority}", "-keyout", path(authority + ".key"), "-out", path(authority + ".crt"))
    make_certificate("server", "/CN=server", "subjectAltName=DNS:db.example,IP:127.0.0.1")
    make_certificate("client", "/CN=ringpost")
    make_certificate("unknown", "/CN=ringpost", authority="stranger")
    configure("ssl = on")
    if cluster.query("show ssl") != "on":
        raise unittest.SkipTest("this PostgreSQL has no TLS")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def path(name):
    return os.path.join(folder, name)


def make_certificate(name, subject, extension="basicConstraints=CA:FALSE", authority="root"):
    with open(path("extension"), "w", encoding="ascii") as file:
        file.write(extension + "\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
            "-keyout", path(name + ".key"), "-out", path("request"))
    openssl("x509", "-req", "-in", path("request"), "-CA", path(authority + ".crt"), "-CAkey",
            path(authority + ".key"), "-CAcreateserial", "-days", "2", "-extfile", path("extension"),
            "-out", path(name + ".crt"))


def data_folder():
    with open(os.path.join(cluster.folder, "pg", "place"), encoding="utf-8") as file:
        return os.path.join(file.read().strip(), "data")


def write_for_server(name, text):
    """A file of the server's own user."""
    data = data_folder()
    file = os.path.join(data, name)
    with open(file, "w", encoding="utf-8") as out:
        out.write(text)
    owner = os.stat(data)
    os.chmod(file, 0o600)
    os.chown(file, owner.st_uid, owner.st_gid)


def configure(settings="ssl = on", rules="host all all 127.0.0.1/32 scram-sha-256", certificate="server"):
    """Sets what the server does from the next connection on."""
    global turn
    turn += 1
    for name, source in ("server.crt", certificate + ".crt"), ("server.key", certificate + ".key"), \
            ("root.crt", "root.crt"):
        with open(path(source), encoding="ascii") as file:
            write_for_server(name, file.read())
    write_for_server("pg_hba.conf", "local all all trust\n" + rules + "\n")
    with open(os.path.join(data_folder(), "postgresql.conf"), "a", encoding="utf-8") as file:
        file.write(f"\nssl_ca_file = 'root.crt'\n{settings}\nringpost.turn = '{turn}'\n")
    cluster.query("select pg_reload_conf()")
    eventually(lambda: cluster.query("show ringpost.turn") == str(turn), 5, "the server has read its settings")


def conninfo(**settings):
    parts = {"host": "db.example", "hostaddr": "127.0.0.1", "port": cluster.environment["PGPORT"],
             "user": "ringpost", "password": cluster.environment["PGPASSWORD"], "dbname": "ringpost",
             "connect_timeout": "5", **settings}
    return " ".join(f"{name}='{value}'" for name, value in parts.items() if value is not None)


def libpq(text):
    """What psql gets: "TLS", "plain", or None."""
    bindir = subprocess.run([os.path.join(stage.ROOT, "tools/postgres-bindir")], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    done = subprocess.run(
        [os.path.join(bindir, "psql"), "-X", "-qAt", "-d", text, "-c",
         "select ssl from pg_stat_ssl where pid = pg_backend_pid()"],
        env={**environment, "HOME": folder}, capture_output=True, text=True)
    return {"t": "TLS", "f": "plain"}.get(done.stdout.strip()) if done.returncode == 0 else None


class Tls(unittest.TestCase):
    def serve(self, text, wait=True, **settings):
        server = stage.Server(text, wait=wait, SHARDS=1, DB_MAX_CONNS=1, HOME=folder, **settings)
        self.addCleanup(server.stop)
        return server

    def reach(self, text):
        """What the program gets: "TLS", "plain" or None; and its log."""
        server = self.serve(text, wait=False)

        def over():
            log = server.log()
            return log if server.process.poll() is not None or 'event=db_connect' in log else None
        log = eventually(over, 8 * stage.SLOW, "it is in, or not")
        outcome = None
        if 'event=db_connected' in log:
            outcome = {"t": "TLS", "f": "plain"}[cluster.query(
                "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'ringpost'")]
        server.stop()
        eventually(lambda: not cluster.backends(), 5 * stage.SLOW, "its session is over")
        return outcome, log

    def check(self, expected, **settings):
        """`expected`: what it gets, or a part of what it says when it gets nothing."""
        text = conninfo(**settings)
        outcome, log = self.reach(text)
        if expected in ("TLS", "plain"):
            self.assertEqual(outcome, expected, log)
        else:
            self.assertIsNone(outcome, log)
            self.assertIn(expected, log)

    def test_each_sslmode_gets_what_libpq_gets(self):
        rule = "all all 127.0.0.1/32 scram-sha-256"
        expected = {
            "off": ["plain", "plain", "plain", None, None, None],
            "on": ["plain", "plain", "TLS", "TLS", "TLS", "TLS"],
            "hostssl": [None, "TLS", "TLS", "TLS", "TLS", "TLS"],
            "hostnossl": ["plain", "plain", "plain", None, None, None],
        }
        for kind, (settings, rules) in {
                "off": ("ssl = off", "host " + rule), "on": ("ssl = on", "host " + rule),
                "hostssl": ("ssl = on", "hostssl " + rule), "hostnossl": ("ssl = on", "hostnossl " + rule)}.items():
            configure(settings, rules)
            modes = "disable", "allow", "prefer", "require", "verify-ca", "verify-full"
            for mode, wanted in zip(modes, expected[kind]):
                with self.subTest(server=kind, sslmode=mode):
                    text = conninfo(sslmode=mode, sslrootcert=path("root.crt"))
                    self.assertEqual(libpq(text), wanted)
                    outcome, log = self.reach(text)
                    self.assertEqual(outcome, wanted, log)

    def test_whom_a_certificate_names(self):
        configure()
        root = path("root.crt")
        self.check("TLS", sslmode="verify-full", sslrootcert=root, host="127.0.0.1", hostaddr=None)
        self.check("is that of db.example, 127.0.0.1, and not of other.example",
                   sslmode="verify-full", sslrootcert=root, host="other.example")
        self.check("TLS", sslmode="verify-ca", sslrootcert=root, host="other.example")
        self.check("certificate is not trusted", sslmode="verify-ca", sslrootcert=path("stranger.crt"))
        self.check("certificate is not trusted", sslmode="require", sslrootcert=path("stranger.crt"))
        self.check("plain", sslmode="prefer", sslrootcert=path("stranger.crt"))
        self.check("does not exist", sslmode="verify-ca", sslrootcert=path("none.crt"))
        self.check("certificate is not trusted", sslrootcert="system")

    def test_client_certificates(self):
        own = {"sslcert": path("client.crt"), "sslkey": path("client.key"), "sslmode": "require", "password": None}
        configure(rules="hostssl all all 127.0.0.1/32 cert")
        self.check("TLS", sslcertmode="require", **own)
        self.check("connection requires a valid client certificate", sslmode="require", password=None)
        self.check("connection requires a valid client certificate", **{**own, "sslcertmode": "disable"})
        self.check("does not trust who signed", **{**own, "sslcert": path("unknown.crt"), "sslkey": path("unknown.key")})
        self.check("is not the key of", **{**own, "sslkey": path("unknown.key")})
        openssl("pkcs8", "-topk8", "-in", path("client.key"), "-out", path("locked.key"), "-passout", "pass:sesame")
        os.chmod(path("locked.key"), 0o600)
        self.check("TLS", **{**own, "sslkey": path("locked.key"), "sslpassword": "sesame"})
        os.chmod(path("locked.key"), 0o644)
        self.check("chmod 0600", **{**own, "sslkey": path("locked.key"), "sslpassword": "sesame"})
        os.makedirs(path(".postgresql"))
        for name, source in ("postgresql.crt", "client.crt"), ("postgresql.key", "client.key"), ("root.crt", "root.crt"):
            os.symlink(path(source), os.path.join(path(".postgresql"), name))
        try:
            self.check("TLS", sslmode="verify-full", password=None)
        finally:
            for name in os.listdir(path(".postgresql")):
                os.remove(os.path.join(path(".postgresql"), name))
            os.rmdir(path(".postgresql"))

    def test_channel_binding_and_other_passwords(self):
        configure()
        self.check("TLS", channel_binding="require", require_auth="scram-sha-256")
        self.check("TLS", channel_binding="disable")
        self.check("channel_binding=require needs TLS", channel_binding="require", sslmode="disable")
        password = cluster.environment["PGPASSWORD"]
        configure(rules="host all all 127.0.0.1/32 password")
        self.check("TLS")
        self.check("a password in clear text, which require_auth does not allow", require_auth="!password",
                   sslmode="require")
        self.check("a password in clear text, which channel_binding=require does not allow",
                   channel_binding="require", sslmode="require")
        configure(rules="host all all 127.0.0.1/32 md5")
        try:
            cluster.query(f"set password_encryption = 'md5'; alter role ringpost password '{password}'")
            self.check("plain", sslmode="disable")
            self.check("an MD5 password, which require_auth does not allow", require_auth="scram-sha-256",
                       sslmode="require")
            self.check("28P01", password="wrong", sslmode="require")
        finally:
            cluster.query(f"set password_encryption = 'scram-sha-256'; alter role ringpost password '{password}'")

    def test_served(self):
        """Pages and lookups, also at once; sessions that end are opened anew, by a certificate that was changed."""
        configure(rules="hostssl all all 127.0.0.1/32 scram-sha-256")
        with open(path("trusted.crt"), "w", encoding="ascii") as trusted, open(path("root.crt"), encoding="ascii") as root:
            trusted.write(root.read())
        server = self.serve(conninfo(sslmode="verify-full", sslrootcert=path("trusted.crt"), channel_binding="require"))
        users = cluster.users()

        def ask():
            with server.connect() as connection:
                for at in range(0, 1000, 200):
                    page = connection.request(f"/users?limit=200&offset={at}").json()["items"]
                    self.assertEqual(page, users[at:at + 200])
                    self.assertEqual(connection.request("/users/" + users[at]["id"]).json(), users[at])
        problems = []

        def try_to_ask():
            try:
                ask()
            except Exception as error:  # pylint: disable=broad-except
                problems.append(repr(error))
        threads = [threading.Thread(target=try_to_ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        self.assertEqual(cluster.query("select distinct ssl, version from pg_stat_ssl join pg_stat_activity using (pid)"
                                       " where application_name = 'ringpost'"), "t|TLSv1.3")

        make_certificate("renewed", "/CN=renewed", "subjectAltName=DNS:db.example", authority="stranger")
        configure(rules="hostssl all all 127.0.0.1/32 scram-sha-256", certificate="renewed")
        with open(path("trusted.crt"), "w", encoding="ascii") as trusted, \
                open(path("stranger.crt"), encoding="ascii") as root:
            trusted.write(root.read())
        cluster.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ringpost'")
        ask()
        self.assertEqual(server.log().count('event=db_connected'), 2, server.log())

    def test_what_was_given_up_is_cancelled(self):
        configure(rules="hostssl all all 127.0.0.1/32 scram-sha-256")
        server = self.serve(conninfo(sslmode="require"), REQUEST_TIMEOUT_MS=200)
        lock = cluster.session()
        try:
            lock.stdin.write("begin; lock table users in access exclusive mode; select 'locked';\n")
            lock.stdin.flush()
            self.assertEqual(lock.stdout.readline(), "locked\n")
            self.assertEqual(server.get("/users/" + seed_id(1)).status, 503)
            eventually(lambda: cluster.query(
                "select count(*) from pg_stat_activity where application_name = 'ringpost' and state = 'active'") == "0",
                5 * stage.SLOW, "nothing works for nobody")
        finally:
            lock.communicate("rollback;\n")
        eventually(lambda: server.get("/users/" + seed_id(1)).status == 200, 5 * stage.SLOW, "users are served again")

    def test_direct(self):
        if int(cluster.query("show server_version_num")) < 170000:
            self.skipTest("from PostgreSQL 17 on")
        configure()
        self.check("TLS", sslnegotiation="direct", sslmode="verify-full", sslrootcert=path("root.crt"))


if __name__ == "__main__":
    unittest.main()
