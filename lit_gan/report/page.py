"""HTML page of a run: one file that includes its style, script and pictures."""

import base64
from collections.abc import Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

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
        f'<p class="soft">Written by lit_gan {escape(version)}, {datetime.now():%Y-%m-%d %H:%M}.</p>',
    ]
    template = Template(files("lit_gan.report").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), body="\n".join(filter(None, parts)))


def _verdict(verdicts: Sequence[dict[str, Any]]) -> str:
    if not verdicts:
        return ""
    last = verdicts[-1]
    kind = "verdict" if last.get("state") in FINE else "verdict bad"
    says = str(last.get("says", ""))
    return f'<p class="{kind}">After {last["step"]:,.0f} generator updates {escape(says)}</p>'


def _pictures(name: str, found: Sequence[tuple[int, Path]], most: int) -> str:
    chosen = evenly(found, most)
    last = len(chosen) - 1
    images = [
        f'<img src="{_inside(path)}" data-step="{step}" alt="{escape(name)} after {step} generator updates"'
        f"{'' if i == last else ' hidden'}>"
        for i, (step, path) in enumerate(chosen)
    ]
    slider = (
        f'<input type="range" hidden min="0" max="{last}" value="{last}" step="1" aria-label="Generator updates">'
        "<output></output>"
    )
    some = f'<p class="soft">{len(chosen)} of {len(found)} pictures.</p>' if len(chosen) < len(found) else ""
    return f'<section class="pictures"><h2>{escape(name.capitalize())}</h2>{"".join(images)}{slider}{some}</section>'


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
