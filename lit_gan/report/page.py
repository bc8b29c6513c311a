"""HTML page of a run: one file that includes its style, script and pictures."""

import base64
import warnings
from collections.abc import Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from lit_gan.callbacks.verdict import FINE
from lit_gan.data.images import evenly
from lit_gan.report.charts import Chart, draw
from lit_gan.report.contents import charts, extremes, score_charts
from lit_gan.report.run_folder import Run

__all__ = ["page"]


def page(run: Run, pictures: int, version: str) -> str:
    """Return the HTML page of a run.

    Args:
        run: contents of the run's folder.
        pictures: largest number of pictures of each kind; they are chosen evenly, with the first and the last.
        version: version of lit_gan, for the foot of the page.
    """
    title = f"{run.folder.resolve().parent.name}/{run.folder.resolve().name}"
    steps = [step for points in run.metrics.values() for step, _ in points]
    seen = run.metrics.get("images_seen", [])
    far = [f"{max(steps):,.0f} generator updates"] if steps else []
    far += [f"{seen[-1][1]:,.0f} images seen"] if seen else []
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{', '.join(far)}</p>" if far else "",
        _verdict(run.verdicts),
        *(_pictures(name, found, pictures) for name, found in run.pictures.items()),
        _section("Scores", score_charts(run)),
        _section("The game", charts(run)),
        _numbers(run),
        _verdicts(run.verdicts),
        *(_text(name, text) for name, text in run.texts.items()),
        _left_out(run.left_out),
        f'<p class="soft">Written by lit_gan {escape(version)}, {datetime.now():%Y-%m-%d %H:%M}.</p>',
    ]
    template = Template(files("lit_gan.report").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), body="\n".join(filter(None, parts)))


def _left_out(clauses: Sequence[str], most: int = 20) -> str:
    """Return a line about the files that were not read, ``most`` of them by name."""
    if not clauses:
        return ""
    more = f"; and {len(clauses) - most} more" if len(clauses) > most else ""
    return f'<p class="soft">Left out: {escape("; ".join(clauses[:most]) + more)}.</p>'


def _verdict(verdicts: Sequence[dict[str, Any]]) -> str:
    if not verdicts:
        return ""
    last = verdicts[-1]
    kind = "verdict" if last.get("state") in FINE else "verdict bad"
    says = str(last.get("says", ""))
    return f'<p class="{kind}">After {last["step"]:,.0f} generator updates {escape(says)}</p>'


def _pictures(name: str, found: Sequence[tuple[int, Path]], most: int) -> str:
    wanted = evenly(found, most)
    chosen = [(step, path) for step, path in wanted if _is_png(path)]
    last, bad = len(chosen) - 1, len(wanted) - len(chosen)
    images = [
        f'<img src="{_inside(path)}" data-step="{step}" alt="{escape(name)} after {step} generator updates"'
        f"{'' if i == last else ' hidden'}>"
        for i, (step, path) in enumerate(chosen)
    ]
    slider = (
        f'<input type="range" hidden min="0" max="{last}" value="{last}" step="1" aria-label="Generator updates">'
        "<output></output>"
    )
    some = f"{len(chosen)} of {len(found)} pictures.{f' {bad} cannot be decoded.' if bad else ''}"
    parts = [*images, slider if chosen else "", f'<p class="soft">{some}</p>' if len(chosen) < len(found) else ""]
    return f'<section class="pictures"><h2>{escape(name.capitalize())}</h2>{"".join(parts)}</section>'


def _is_png(path: Path) -> bool:
    """Tell whether a file is a whole picture, of a size that a browser can show."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow's, of a picture that takes much memory
            with Image.open(path, formats=["PNG"]) as picture:
                picture.verify()
    except Exception:  # Pillow raises errors of many types on a damaged file
        return False
    return True


def _inside(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _section(title: str, drawn: Sequence[Chart]) -> str:
    if not drawn:
        return ""
    return f'<section><h2>{title}</h2><div class="charts">{"".join(map(draw, drawn))}</div></section>'


def _numbers(run: Run) -> str:
    return _table("All metrics", ("metric", "first", "last", "least", "most", "values"), extremes(run))


def _verdicts(verdicts: Sequence[dict[str, Any]]) -> str:
    rows = [(str(v["step"]), str(v.get("state", "")), str(v.get("says", ""))) for v in verdicts]
    return _table("All verdicts", ("generator updates", "state", "says"), rows)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<details><summary>{title}</summary><div class="scroll" tabindex="0">{table}</div></details>'


def _text(name: str, text: str) -> str:
    return f'<details><summary>{escape(name)}</summary><pre tabindex="0">{escape(text)}</pre></details>'
