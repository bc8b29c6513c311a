"""Line charts as SVG; the page's style sheet sets their colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

__all__ = ["Chart", "Curve", "draw"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 260, 64, 12, 12, 32  # size and margins, in SVG units
_MOST = 400  # points drawn of a curve, at most


@dataclass(frozen=True)
class Curve:
    """A line through points (x, y), with or without a band (x, low, high) around it."""

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True)
class Chart:
    """Curves over generator updates, and a constant level to compare them with."""

    title: str
    says: str
    curves: Sequence[Curve]
    level: float | None = None
    level_name: str = ""


def draw(chart: Chart) -> str:
    """Return a chart as an HTML ``<figure>``.

    A curve of more than 400 points is drawn as means of successive points, and the caption says of how many. Values
    that are not finite, or whose differences may not be, are left out, and the caption counts them.
    """
    if chart.level is not None and not _drawable(chart.level):
        chart = replace(chart, level=None)
    finite = {c.name: [p for p in c.points if _drawable(*p)] for c in chart.curves}
    left_out = sum(len(c.points) - len(finite[c.name]) for c in chart.curves)
    many = {name: -(-len(points) // _MOST) for name, points in finite.items()}
    lines = {name: _means(points, many[name]) for name, points in finite.items() if points}
    bands = {c.name: [b for b in c.band if _drawable(*b)] for c in chart.curves}
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points] + [
        y for b in bands.values() for _, *ends in b for y in ends
    ]
    notes = [f"{left_out} values are not finite and not drawn."] if left_out else []
    notes += [f"{escape(name)}: each point is the mean of {count} values." for name, count in many.items() if count > 1]
    if not xs:
        return _figure(chart, "", notes)
    frame = _Frame((min(xs), max(xs)), _range([*ys, *([] if chart.level is None else [chart.level])]))
    parts = [*frame.axes()]
    if chart.level is not None:
        y = frame.y(chart.level)
        parts.append(f'<line class="level" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for number, name in enumerate(finite):
        points = lines.get(name, [])
        if bands[name]:
            edge = [(x, low) for x, low, _ in bands[name]] + [(x, high) for x, _, high in reversed(bands[name])]
            parts.append(f'<polygon class="c{number} band" points="{frame.path(edge)}"/>')
        parts.append(f'<polyline class="c{number}" points="{frame.path(points)}"/>')
        if len(points) <= 40:
            parts += [
                f'<circle class="c{number}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3"/>' for x, y in points
            ]
    return _figure(chart, "".join(parts), notes)


def _drawable(*numbers: float) -> bool:
    return all(abs(number) < 1e300 and (number == 0 or abs(number) > 1e-300) for number in numbers)


def _figure(chart: Chart, inside: str, notes: list[str]) -> str:
    keys = [f'<li><span class="key c{i}"></span>{escape(c.name)}: {_last(c)}</li>' for i, c in enumerate(chart.curves)]
    if chart.level is not None:
        keys.append(f'<li><span class="key level"></span>{escape(chart.level_name)}</li>')
    label = escape(f"{chart.title}: " + "; ".join(f"{c.name} ends at {_last(c)}" for c in chart.curves))
    return (
        f'<figure class="chart"><h3>{escape(chart.title)}</h3>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{inside}</svg>'
        f'<ul class="keys">{"".join(keys)}</ul>'
        f"<figcaption>{' '.join([escape(chart.says), *notes])}</figcaption></figure>"
    )


def _last(curve: Curve) -> str:
    return f"{curve.points[-1][1]:.4g}" if curve.points else "no value"


def _means(points: Sequence[tuple[float, float]], many: int) -> list[tuple[float, float]]:
    groups = [points[i : i + many] for i in range(0, len(points), many)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return the range of an axis, never empty: that of the values and 5 % more at each end."""
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or abs(low) * 0.05 or 1.0
    return low - room, high + room


@dataclass(frozen=True)
class _Frame:
    """The map from the data's coordinates to those of the SVG."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, x: float) -> float:
        low, high = self.x_range
        return _LEFT + (x - low) / ((high - low) or 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, y: float) -> float:
        low, high = self.y_range
        return _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)

    def axes(self) -> list[str]:
        right, low = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        parts = []
        for tick in _ticks(*self.y_range):
            y = self.y(tick)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        below = f'y="{low + 18}" text-anchor="middle"'
        return parts + [f'<text x="{self.x(tick):.1f}" {below}>{tick:g}</text>' for tick in _ticks(*self.x_range)]


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return round numbers in [low, high], about ``wanted`` of them."""
    if high <= low:
        return [low]
    rough = (high - low) / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next((power * m for m in (1, 2, 5) if power * m >= rough), power * 10)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
