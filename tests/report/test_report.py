"""The report of a run: what is on the page, where the lines lie, and what is refused."""

import csv
import json
import math
import os
import re
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_gan import LitGANError
from lit_gan.cli import main
from lit_gan.cli.report import report
from lit_gan.data.images import evenly, save_png
from lit_gan.report import run_folder
from lit_gan.report.charts import Chart, Curve, draw

KEYS = st.sampled_from(
    ["step", "scores", "protocol", "stage", "fid", "sets", "ema", "state", "says", "n_fake", "floor"]
)


def a_run(folder, steps=3):
    """Write what a run logs, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metrics.csv").open("w", newline="") as file:
        names = ["step", "loss/d", "val/value", "images_seen", "val/fid", "own/<metric>"]
        rows = csv.DictWriter(file, names)
        rows.writeheader()
        for i in range(1, steps + 1):
            rows.writerow({"step": 10 * i, "loss/d": i / 4, "images_seen": 640 * i})
            rows.writerow({"step": 10 * i, "val/value": -i / 2, "val/fid": 300 / i, "own/<metric>": i})
    protocol = {"n_fake": 100, "n_real": 200, "split": "train", "ema": True, "sets": 2}
    scores = [
        {"step": 10 * i, "stage": "val", "scores": {"fid": 300 / i}, "spread": {"fid": 5.0}, "floor": {"fid": 7.0}}
        | {"protocol": protocol}
        for i in range(1, steps + 1)
    ]
    (folder / "scores.json").write_text(json.dumps(scores))
    verdicts = [{"step": 10, "state": "plays", "says": "the game goes on"}]
    verdicts += [{"step": 30, "state": "collapses", "says": "the game collapses: spread < 0.1"}]
    (folder / "verdicts.jsonl").write_text("\n".join(map(json.dumps, verdicts)))
    for i in range(1, steps + 1):
        save_png(torch.full((1, 8, 8), 20 * i, dtype=torch.uint8), folder / "samples" / f"step-{10 * i:06d}.png")
    (folder / "config.yaml").write_text("model: {latent: normal}  # </pre><script>alert(1)</script>")
    (folder / "hparams.yaml").write_text("environment: {torch: 2.6}")
    return folder


@pytest.fixture
def html(tmp_path):
    return report(str(a_run(tmp_path / "garments" / "version_0"))).read_text()


def test_all_that_was_logged_is_there(html):
    for text in (
        "<title>garments/version_0</title>",
        "30 generator updates, 1,920 images seen",
        "verdict bad",
        "the game collapses: spread &lt; 0.1",
        "equilibrium, −log 4",
        "<h3>own/&lt;metric&gt;</h3>",
        "100 generated samples of the averaged generator against 200 real ones (train), mean of 2 sets",
        "real against real",
        "environment: {torch: 2.6}",
    ):
        assert text in html, text
    assert html.count("data:image/png;base64,") == 3
    assert html.count("<h3>val/fid</h3>") == 1, "with its protocol, and not once more among the metrics"


def test_a_chart_of_what_d_judges_says_what_it_was_shown(tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "step,val/value,val/augmented,equilibrium/packed,equilibrium/spread\n1,-1.3,1.0,,\n2,-1.2,1.0,4.0,0.9\n"
    )
    html = report(str(tmp_path)).read_text()
    value, variety = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    assert value.endswith("p_g = p_data. Of augmented samples. Of 4 samples together.")
    assert "augmented" not in variety
    assert re.findall("<h3>(.*?)</h3>", html) == ["Value of the game, V(G, D)", "Variety"]


def test_nothing_is_fetched_and_nothing_of_the_run_is_executed(html):
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert "url(" not in html
    assert html.count("<script>") == 1, "the page's own"


def test_pictures_are_chosen_evenly_with_the_first_and_the_last(tmp_path):
    page = report(str(a_run(tmp_path / "run", steps=9)), pictures=3).read_text()
    assert re.findall(r'data-step="(\d+)"', page) == ["10", "50", "90"]
    assert "3 of 9 pictures" in page
    assert report(str(tmp_path / "run"), pictures=1).read_text().count('data-step="90"') == 1
    assert evenly("abcd", 3) == ["a", "c", "d"]
    assert evenly("abcd", 4) == list("abcd")


def test_lines_lie_where_the_numbers_say():
    """The frame is 64 to 628 by 228 to 12 and the range of y has a twentieth of room at either end."""
    figure = draw(Chart("t", "", [Curve("a", [(0, 0.0), (5, 10.0), (10, 5.0)], [(0, 0, 10), (10, 0, 5)])], 0.0, "zero"))
    points = re.search(r'<polyline class="c0" points="([^"]+)"', figure)[1]
    low, high = -0.5, 10.5
    expected = [
        (64 + x / 10 * (628 - 64), 228 - (y - low) / (high - low) * (228 - 12)) for x, y in ((0, 0), (5, 10), (10, 5))
    ]
    found = [tuple(map(float, pair.split(","))) for pair in points.split()]
    assert found == [pytest.approx(pair, abs=0.06) for pair in expected]
    assert f'y1="{expected[0][1]:.1f}"' in re.search(r'<line class="level"[^>]+>', figure)[0]
    assert len(re.search(r'<polygon class="c0 band" points="([^"]+)"', figure)[1].split()) == 4


def test_long_curves_are_means_and_what_is_not_finite_is_counted():
    curve = Curve("a", [(float(i), float(i % 2)) for i in range(1000)] + [(1000.0, math.nan)])
    figure = draw(Chart("t", "says.", [curve]))
    points = re.search(r'points="([^"]+)"', figure)[1].split()
    assert len(points) == 334
    assert "1 values are not finite and not drawn. a: each point is the mean of 3 values." in figure
    assert "not drawn" in draw(Chart("t", "", [Curve("a", [(0.0, math.inf)])]))


def test_a_short_curve_beside_a_long_one_keeps_its_points():
    long, short = ([(float(i), 0.0) for i in range(4000)], [(float(i), 1.0) for i in range(8)])
    figure = draw(Chart("t", "", [Curve("long", long), Curve("short", short)]))
    assert len(re.search(r'<polyline class="c1" points="([^"]+)"', figure)[1].split()) == 8


def test_scores_of_another_stage_or_protocol_have_charts_of_their_own(tmp_path):
    run = a_run(tmp_path / "run")
    scores = json.loads((run / "scores.json").read_text())
    test = {**scores[0], "stage": "test", "step": 0}
    other = {**scores[0], "protocol": {**scores[0]["protocol"], "n_fake": 7}}
    (run / "scores.json").write_text(json.dumps([*scores, test, other]))
    page = report(str(run)).read_text()
    assert page.count("<h3>test/fid</h3>") == 1
    assert page.count("<h3>val/fid</h3>") == 2
    assert "7 generated samples" in page
    seeded = {**scores[0], "protocol": {**scores[0]["protocol"], "seed": 1}}
    (tmp_path / "run" / "scores.json").write_text(json.dumps([*scores, seeded]))
    assert report(str(tmp_path / "run")).read_text().count("<h3>val/fid</h3>") == 2, "of other samples"


def test_a_part_of_it_makes_a_page_too(tmp_path):
    run = a_run(tmp_path / "run")
    for name in ("scores.json", "verdicts.jsonl", "config.yaml", "metrics.csv"):
        (run / name).unlink()
        assert report(str(run)).exists()


def scored(**changes):
    """Return what changes an evaluation of a run."""

    def change(run):
        first, *others = json.loads((run / "scores.json").read_text())
        (run / "scores.json").write_text(json.dumps([{**first, **changes}, *others]))

    return change


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda run: (run / "scores.json").write_text("[{]"), "scores.json is damaged"),
        (lambda run: (run / "verdicts.jsonl").write_text('{"state": "plays"}'), "verdicts.jsonl is damaged"),
        (lambda run: (run / "verdicts.jsonl").write_text('{"step": "<script>"}'), "verdicts.jsonl is damaged"),
        (lambda run: (run / "metrics.csv").write_text("step,a\n1,x\n"), "metrics.csv is no log of metrics .*'x'"),
        (lambda run: (run / "metrics.csv").write_text("step,a\n1," + "1" * 131_073), "metrics.csv is no log .*131072"),
        (lambda run: (run / "metrics.csv").write_bytes(b"step,a\n1,\xff\n"), "metrics.csv is no log of metrics"),
        (lambda run: (run / "metrics.csv").write_text("step,a\n1,2,3\n"), "metrics.csv is no log of metrics"),
        (lambda run: (run / "scores.json").write_text("[" * 100_000), "scores.json is damaged"),
        (lambda run: (run / "scores.json").write_text("null"), "scores.json is damaged"),
        (lambda run: (run / "scores.json").write_bytes(b"\xff"), "scores.json is damaged"),
        (scored(scores=None), "scores.json is damaged"),
        (scored(scores={"fid": "1"}), "scores.json is damaged"),
        (scored(floor={"fid": None}), "scores.json is damaged"),
        (scored(spread=[1]), "scores.json is damaged"),
        (scored(step=10**400), "scores.json is damaged"),
        (scored(stage=1), "scores.json is damaged"),
    ],
)
def test_damaged_files_are_named(tmp_path, damage, says):
    damage(a_run(tmp_path / "run"))
    with pytest.raises(ValueError, match=says):
        report(str(tmp_path / "run"))
    assert not (tmp_path / "run" / "report.html").exists()


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    a_run(tmp_path / "run")
    main(["report", "run", "--output", "out/page.html", "--pictures", "2"])
    assert "Wrote out/page.html (0.0 MB)" in capsys.readouterr().out
    for arguments, says in (
        (["nowhere"], "nowhere is no folder: give that of a run"),
        (["out"], "out holds page.html, and nothing that a run logs"),
        (["run", "--output=page.pdf"], "'page.pdf' must be a file that ends in .html"),
    ):
        with pytest.raises(SystemExit):
            main(["report", *arguments])
        assert says in capsys.readouterr().err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=8,
)
NUMBERS = st.floats() | st.sampled_from([1e308, -1e308, 5e-324, 10**300, 10**400, True, None])
EVALUATIONS = st.fixed_dictionaries(
    {"step": NUMBERS, "scores": st.dictionaries(KEYS, NUMBERS), "protocol": st.dictionaries(KEYS, JSON)},
    optional={"stage": JSON, "spread": st.dictionaries(KEYS, NUMBERS), "floor": st.dictionaries(KEYS, NUMBERS)},
)
CELLS = NUMBERS.map(str) | st.text(max_size=3)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4)


@given(JSON | st.lists(EVALUATIONS, max_size=3), st.lists(JSON, max_size=3), ROWS)
def test_a_page_or_a_sentence_of_whatever_the_files_hold(scores, verdicts, rows):
    with TemporaryDirectory() as folder:
        run = Path(folder)
        (run / "scores.json").write_text(json.dumps(scores))
        (run / "verdicts.jsonl").write_text("\n".join(map(json.dumps, verdicts)))
        with (run / "metrics.csv").open("w", newline="", encoding="utf-8", errors="replace") as file:
            csv.writer(file).writerows([["step", "val/value", "own"], *rows])
        for name in ("scores.json", "verdicts.jsonl", "metrics.csv"):  # one by one: a damaged one hides the next
            with suppress(LitGANError):
                assert report(folder).read_text().endswith("</html>\n")
            (run / name).unlink()


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), NUMBERS)
def test_any_curve_is_drawn(points, level):
    numbers = [(float(min(x or 0, 1e308)), float(min(y or 0, 1e308))) for x, y in points]
    level = None if level is None else float(min(level, 1e308))
    figure = draw(Chart("t", "", [Curve("a", numbers, [(x, y, y) for x, y in numbers])], level, "level"))
    assert not re.search(r'points="[^"]*(nan|inf)', figure)


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    a_run(secret)
    run = a_run(tmp_path / "run", steps=1)
    for name in ("config.yaml", "scores.json"):
        (run / name).unlink()
        (run / name).symlink_to(secret / name)
    (run / "verdicts.jsonl").unlink()
    os.mkfifo(run / "verdicts.jsonl")
    (run / "hparams.yaml").unlink()
    (run / "hparams.yaml").symlink_to(run / "hparams.yaml")
    (run / "others").symlink_to(secret / "samples")
    (run / "samples" / "step-000020.png").symlink_to(secret / "samples" / "step-000020.png")
    (run / "samples" / "step-000030.png").symlink_to("/dev/zero")
    (run / "samples" / "step-000040.png").symlink_to("step-000010.png")  # of the folder itself
    (run / "report.html").symlink_to(secret / "report.html")
    html = report(str(run)).read_text()
    assert re.findall(r'data-step="(\d+)"', html) == ["10", "40"]
    assert "alert(1)" not in html
    assert not (secret / "report.html").exists(), "the link is replaced, not written through"
    for name in ("config.yaml", "scores.json", "verdicts.jsonl", "hparams.yaml", "samples/step-000030.png"):
        assert f"{name} leads out of the folder" in html or f"{name} is no file" in html


def test_a_file_larger_than_memory_is_left_out(tmp_path):
    run = a_run(tmp_path / "run")
    with (run / "config.yaml").open("wb") as file:
        file.truncate(10**12)  # without content, and without room on the disk
    assert "config.yaml has more than 500 MB" in report(str(run)).read_text()


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg/>", "cut", "flipped"])
def test_pictures_that_are_none_are_counted(tmp_path, content):
    run = a_run(tmp_path / "run")
    path = run / "samples" / "step-000020.png"
    whole = path.read_bytes()
    changed = {"cut": whole[:40], "flipped": whole[:45] + bytes([whole[45] ^ 1]) + whole[46:]}
    path.write_bytes(changed.get(content, content))
    html = report(str(run)).read_text()
    assert re.findall(r'data-step="(\d+)"', html) == ["10", "30"]
    assert "2 of 3 pictures. 1 cannot be decoded." in html


def test_a_log_of_very_many_columns_is_refused_before_its_charts_are_drawn(tmp_path):
    (tmp_path / "metrics.csv").write_text("step" + ",a" * 20_000 + "\n1" + ",1" * 20_000 + "\n")
    with pytest.raises(LitGANError, match="20001 columns"):
        run_folder.read(tmp_path)
