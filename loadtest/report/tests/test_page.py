"""The page, opened in headless Chromium: its figures are those of the raw turns, computed here anew and not by the
report's own code; nothing is asked of the network; nothing overflows a phone's screen; a void run claims nothing."""
import json
import math
import os
import re
import shutil
import statistics
import sys
import tempfile
import unittest
from pathlib import Path

from loadtest.report import claim, page
from loadtest.report.model import Run
from loadtest.report.tests import synthetic

try:
    from playwright.sync_api import Error as BrowserError
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None
BROWSERS = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")
FIGURES = """nodes => nodes.map(n => ({...n.dataset, text: [...n.childNodes].filter(c => c.nodeType == 3)
             .map(c => c.textContent).join('').trim()}))"""


def skip(why):
    print(f"\nSKIPPED: the page was not opened in a browser: {why}", file=sys.stderr, flush=True)
    raise unittest.SkipTest(why)


def turns_of(folder):
    return [json.loads(line) for line in (folder / "turns.jsonl").read_text().splitlines()]


def about(turn):
    kind = turn["fault"]["kind"] if turn["fault"] else ""
    step = "" if turn["step"] is None else f"{turn['step']:g}"
    return "|".join([turn["scenario"], turn["mode"], step, turn["variant"] or "", turn["contender"], kind])


def measured(turn, metric):
    per_request = {"cpu_us": "contender", "postgresql_cpu_us": "postgresql", "generator_cpu_us": "generator"}
    if metric in per_request:
        return turn["cpu_s"][per_request[metric]] / turn["requests"] * 1e6
    if metric == "total_cpu_us":
        return measured(turn, "cpu_us") + measured(turn, "postgresql_cpu_us")
    if metric == "switches":
        return sum(turn["context_switches"].values()) / turn["requests"]
    if metric == "p99_windows":
        return statistics.median(p99 for _, p99 in turn["windows"])
    return turn["latency_ms"][metric] if metric in turn["latency_ms"] else turn[metric]


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if sync_playwright is None:
            skip("playwright is not installed: loadtest/test report installs it")
        path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
        cls.playwright = sync_playwright().start()
        cls.addClassCleanup(cls.playwright.stop)
        try:
            cls.browser = cls.playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except BrowserError as error:
            skip(f"no Chromium (on Debian: apt install chromium): {str(error).splitlines()[0]}")
        cls.addClassCleanup(cls.browser.close)
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        cls.folder = synthetic.write(Path(place.name) / "run")
        (cls.folder / "report.html").write_text(page.html(Run(cls.folder)))
        cls.turns = [t for t in turns_of(cls.folder) if not t["void"]]
        cls.groups = {}
        for turn in cls.turns:
            cls.groups.setdefault(about(turn), []).append(turn)

    def open(self, folder=None, width=1280, scheme="light"):
        tab = self.browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.addCleanup(tab.close)
        self.asked, self.said = [], []
        tab.on("request", lambda request: self.asked.append(request.url))
        tab.on("console", lambda message: self.said.append(message.text))
        tab.goto(f"file://{folder or self.folder}/report.html")
        return tab

    def same(self, median, cell):
        """The attribute is the median, the text is the attribute as far as it is written."""
        self.assertAlmostEqual(median, float(cell["value"]), delta=abs(median) * 1e-6, msg=str(cell))
        shown = float(cell["text"].replace(",", ""))
        self.assertAlmostEqual(median, shown, delta=max(abs(median) * 0.006, 1e-4), msg=str(cell))

    def test_every_cell_is_the_median_of_its_turns(self):
        cells = self.open().eval_on_selector_all("[data-metric]", FIGURES)
        self.assertGreater(len(cells), 1000)
        for cell in cells:
            group = self.groups[cell["key"]]
            if cell["metric"] == "errors":
                self.same(sum(sum(t["errors"].values()) for t in group), cell)
            elif cell["metric"] == "requests":
                self.same(sum(t["requests"] for t in group), cell)
            elif cell["metric"] == "max":
                self.same(max(t["latency_ms"]["max"] for t in group), cell)
            else:
                self.same(statistics.median(measured(t, cell["metric"]) for t in group), cell)
        shown = {cell["key"] for cell in cells}
        self.assertEqual({k for k in self.groups if not k.startswith("capacity")}, shown)

    def test_a_cell_stands_in_its_own_table_line_and_column(self):
        tables = self.open().eval_on_selector_all("[data-table]", """tables => tables.map(t => ({
            about: t.dataset.table, columns: [...t.querySelectorAll('[data-contender]')].map(n => n.dataset.contender),
            lines: [...t.querySelectorAll('[data-line]')].map(r => [r.dataset.line,
                [...r.querySelectorAll('[data-key]')].map(c => [c.dataset.metric, c.dataset.key])])}))""")
        self.assertEqual({f"{s}|{m}|{step}" for s, steps in (("light", ("",)), ("heavy", ("",)), ("saturation", ("",)), ("mixed", ("",)),
                                                              ("clients", (16, 256))) for m in ("single", "multi") for step in steps},
                         {t["about"] for t in tables})
        for table in tables:
            self.assertEqual(4, len(table["columns"]))
            for metric, cells in table["lines"]:
                self.assertEqual([[metric, f"{table['about']}||{n}|"] for n in table["columns"]], cells)

    def test_faults_are_those_of_the_turns(self):
        cells = self.open().eval_on_selector_all("[data-fault]", FIGURES)
        self.assertEqual(4 * 4 * 3, len(cells))
        for cell in cells:
            seen = [t["fault"][cell["fault"]] for t in self.groups[cell["key"]]]
            self.same(max(seen) if cell["fault"] == "wrong" else statistics.median(seen), cell)

    def test_capacity_lies_between_what_was_kept_and_what_was_not(self):
        cells = self.open().eval_on_selector_all("[data-capacity]", FIGURES)
        self.assertEqual(4 + 8, len(cells))  # at a glance, and both modes
        for cell in cells:
            mode, contender = cell["capacity"].split("|")
            kept = {True: [], False: []}
            for t in self.turns:
                if (t["scenario"], t["mode"], t["contender"]) == ("capacity", mode, contender):
                    kept[not t["errors"] and measured(t, "p99_windows") < 10].append(t["step"])
            self.assertTrue(min(kept[True]) < float(cell["value"]) < max(kept[False]), cell)
            below, above = (sum(step > float(cell["value"]) for step in kept[True]), sum(step < float(cell["value"]) for step in kept[False]))
            self.assertLessEqual(abs(below - above), 3, cell)

    def test_the_claim_is_of_pairs_within_its_interval(self):
        tab = self.open()
        ratios = tab.eval_on_selector_all("[data-ratio]", FIGURES)
        summary = json.loads((self.folder / "summary.json").read_text())
        self.assertEqual(6, len(ratios))  # CPU, its own, and capacity, both modes
        for ratio in ratios:
            metric, scenario, mode, against = ratio["ratio"].split("|")
            told = next(c for c in summary["comparisons"] if (c["scenario"], c["metric"], c["mode"], c["against"], c["step"])
                        == (scenario, metric, mode, against, None))
            self.assertEqual(told["ratio"]["median"], float(ratio["value"]))
            self.assertEqual(f"{told['ratio']['median']:.2f}×", ratio["text"])
            if scenario == "rate":
                logs = {}
                for t in self.turns:
                    if (t["scenario"], t["mode"], t["contender"]) == ("rate", mode, "ringpost"):
                        beside = next(o for o in self.turns if [o[n] for n in ("scenario", "mode", "step", "repeat")]
                                      == [t[n] for n in ("scenario", "mode", "step", "repeat")] and o["contender"] == against)
                        if not t["errors"] and not beside["errors"]:
                            logs.setdefault(t["repeat"], []).append(math.log(measured(t, metric) / measured(beside, metric)))
                middle = statistics.median(sum(each) / len(each) for each in logs.values())
                self.assertTrue(told["ratio"]["low"] <= math.exp(middle) <= told["ratio"]["high"])

    def marks(self, pattern):
        """Of each chart that has such marks: [(what the mark says, x, y)]; a mark says the value that it is drawn at."""
        charts = self.open().eval_on_selector_all("figure svg", """charts => charts.map(c =>
            [...c.querySelectorAll('[aria-label]')].map(n => [n.ariaLabel, n.getAttribute('transform')]))""")
        found = []
        for chart in charts:
            marks = [(m.groups(), place) for text, place in chart if (m := re.fullmatch(pattern, text))]
            if marks:
                found.append([(said, *map(float, re.findall(r"-?[\d.]+", place or "")[:2])) for said, place in marks])
        return found

    def test_points_of_latency_are_the_medians_where_they_belong(self):
        charts = self.marks(r"(\S+) (p50|p99) at ([\d.e+]+)/s: ([\d.e+-]+) ms")
        self.assertEqual(4, len(charts))  # two modes, drawn wide and narrow
        for chart, mode in zip(charts, ("single", "single", "multi", "multi")):
            self.assertEqual(2 * len([k for k in self.groups if k.startswith(f"rate|{mode}|")]), len(chart))
            for (name, metric, step, ms), _, _ in chart:
                turns = self.groups[f"rate|{mode}|{float(step):g}||{name}|"]
                self.assertAlmostEqual(1, float(ms) / statistics.median(t["latency_ms"][metric] for t in turns))
            for axis, value in ((1, lambda said: float(said[2])), (2, lambda said: float(said[3]))):
                logs = [(math.log(value(mark[0])), mark[axis]) for mark in chart]
                (a, low), (b, high) = min(logs), max(logs)
                for log, pixel in logs:  # on the straight line of a logarithmic axis
                    self.assertAlmostEqual(low + (high - low) * (log - a) / (b - a), pixel, delta=0.5)

    def test_bars_are_the_medians(self):
        charts = self.marks(r"(\S+) (\w*cpu_us): ([\d.e+-]+) us")
        self.assertEqual(4, len(charts))
        for chart, mode in zip(charts, ("single", "single", "multi", "multi")):
            self.assertEqual(4 * 3, len(chart))
            for (name, metric, us), *_ in chart:
                turns = self.groups[f"saturation|{mode}|||{name}|"]
                self.assertAlmostEqual(1, float(us) / statistics.median(measured(t, metric) for t in turns))
        told = {c["mode"] + c["contender"]: c["rps"]["median"]
                for c in json.loads((self.folder / "summary.json").read_text())["capacity"]}
        charts = self.marks(r"(\S+) capacity: ([\d.e+-]+)/s")
        self.assertEqual(4, len(charts))
        for chart, mode in zip(charts, ("single", "single", "multi", "multi")):
            self.assertEqual({n: told[mode + n] for (n, _), *_ in chart}, {n: float(v) for (n, v), *_ in chart})

    def test_no_request_leaves_the_page(self):
        tab = self.open()
        self.assertEqual([f"file://{self.folder}/report.html"], [u for u in self.asked if not u.startswith("data:")])
        self.assertEqual([], self.said)
        self.assertEqual(0, tab.locator("script, link[rel=stylesheet], img, iframe").count())

    def test_nothing_overflows(self):
        for width in (320, 360, 390, 640, 641, 820, 1000, 1280, 1920):
            tab = self.open(width=width)
            tab.eval_on_selector_all("details", "nodes => nodes.forEach(n => { n.open = true })")
            wide = tab.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(wide, width, f"at {width} px the page is {wide} px wide")

    def test_losses_are_in_the_first_screen(self):
        for width, height in ((1280, 800), (390, 844), (360, 740)):
            tab = self.open(width=width)
            box = tab.locator("#against li").first.bounding_box()
            self.assertLess(box["y"] + box["height"], height, f"at {width} px")

    def test_charts_follow_the_screen(self):
        for width, shown in ((390, "narrow"), (1280, "wide")):
            tab = self.open(width=width)
            visible = tab.eval_on_selector_all("figure > div",
                                               "ns => ns.filter(n => n.offsetParent).map(n => n.className)")
            self.assertEqual({shown}, set(visible))

    def test_dark_and_light_have_contrast(self):
        for scheme in ("light", "dark"):
            tab = self.open(scheme=scheme)
            for selector in ("body", "h1 strong", "small", ".against small", "figure svg text"):
                ratio = tab.evaluate(CONTRAST, selector)
                self.assertGreaterEqual(ratio, 4.5, f"{selector} in {scheme}")

    def test_text_of_a_run_is_not_markup(self):
        tab = self.open()
        self.assertIn("<b>not</b> a measurement", tab.locator("#machine").inner_text())

    def test_what_is_left_out_is_told(self):
        self.assertIn("Zig is left out: needs the command zig", self.open().locator("header").inner_text())

    def test_a_void_run_has_a_banner_and_no_claim(self):
        with tempfile.TemporaryDirectory() as place:
            folder = synthetic.write(Path(place) / "void", "connections in all (go-api, single): 30 expected; 40 seen")
            (folder / "report.html").write_text(page.html(Run(folder)))
            text = page.markdown(Run(folder))
            tab = self.open(folder, width=390)
            banner = tab.locator("#void")
            self.assertTrue(banner.is_visible())
            self.assertIn("connections in all (go-api, single)", banner.inner_text())
            for absent in ("#claim", "#against", "#balance", "[data-ratio]"):
                self.assertEqual(0, tab.locator(absent).count(), absent)
            self.assertLessEqual(tab.evaluate("document.documentElement.scrollWidth"), 390)
            self.assertIn("**VOID. connections in all", text)
            self.assertNotIn("sustains", text)


class PartTest(unittest.TestCase):
    """Runs that ended early or had little asked of them make a page too."""

    def write(self, keep, names=None, **header):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        folder = synthetic.write(Path(place.name) / "run", keep=keep)
        run = json.loads((folder / "run.json").read_text())
        run.update(header)
        if names:
            run["contenders"] = [c for c in run["contenders"] if c["name"] in names]
        (folder / "run.json").write_text(json.dumps(run))
        return Run(folder)

    def test_void_before_the_first_turn(self):
        run = self.write(lambda t: False, void="the same answers (go-api, single): ...", seconds=None, finished=None)
        self.assertIn("This run is void", page.html(run))
        self.assertIn("VOID", page.markdown(run))

    def test_the_subject_alone(self):
        text = page.html(self.write(lambda t: t["contender"] == "ringpost", names=("ringpost",)))
        self.assertIn("Nothing to compare", text)

    def test_one_mode_and_few_scenarios(self):
        for scenarios in (("saturation",), ("rate", "faults"), ("light", "heavy"), ("capacity",)):
            run = self.write(lambda t: t["mode"] == "single" and t["scenario"] in scenarios and t["variant"] is None)
            self.assertIn("ringpost, compared", page.html(run))
            page.markdown(run)

    def test_a_contender_of_which_no_turn_counts(self):
        def keep(turn):
            if turn["contender"] == "rust-api" and turn["scenario"] == "saturation":
                turn["void"] = "the load generator was the bottleneck"
            return True
        run = self.write(keep)
        self.assertIn("Rust has no turn that counts", page.html(run))
        for c in claim.claims(run):
            self.assertEqual(("rate", "rust-api"), (c["cost"]["scenario"], c["cost"]["against"]))


# WCAG's contrast of an element's text against the page's ground, or that of the card it stands on.
CONTRAST = """selector => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = color => {
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const node = document.querySelector(selector), style = getComputedStyle(node);
  let ground = node;
  while (getComputedStyle(ground).backgroundColor == 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
  const own = node instanceof SVGElement ? style.fill : style.color;
  const pair = [light(own), light(getComputedStyle(ground).backgroundColor)];
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""


if __name__ == "__main__":
    unittest.main()
