"""The table in docs/http.md is what ringpost, nginx and Go's net/http answer today. Takes a minute, most of it Go's compiler."""
import unittest

import http_servers
import stage


class Servers(unittest.TestCase):
    def test_the_page_says_what_they_answer(self):
        try:
            others = http_servers.ask_others()
        except FileNotFoundError as missing:
            self.skipTest(str(missing))
        server = stage.Server("host=127.0.0.1 port=1 user=nobody dbname=nothing", wait=False)  # no case asks the database
        self.addCleanup(server.stop)
        server.wait_listening()
        columns = [http_servers.ask_all(server.port), *others]
        page = http_servers.read_page().split(http_servers.BEGIN)[1].split(http_servers.END)[0]
        self.assertEqual(page, http_servers.table(columns), "tests/integration/http_servers.py --update writes it")
        self.assertEqual(http_servers.unexplained(columns), [])


if __name__ == "__main__":
    unittest.main()
