"""Renders charts as accessible SVG with title and description, without scripts and inline styles.

The image is stretched to the available width, so it contains no text; strokes keep their width (`vector-effect`), and
the axis labels are HTML beside it.
"""

import math
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from django.utils.safestring import SafeString, mark_safe

from monitoring.dashboard.charts import Chart, ChartLine
from monitoring.formatting import format_figure, format_moment

SVG_WIDTH, SVG_HEIGHT = 600, 160
BAR_GAP_RATIO = 0.15  # of the step's width
ROUND_FACTORS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class AxisScale:
    """The lowest and the highest value of the y axis."""

    low: float
    high: float

    def to_y(self, value: float) -> float:
        """Return the y coordinate of a value."""
        return round(SVG_HEIGHT - (value - self.low) / (self.high - self.low) * SVG_HEIGHT, 2)

    @property
    def middle(self) -> float:
        """The value halfway."""
        return (self.low + self.high) / 2


def compute_scale(chart: Chart) -> AxisScale:
    """Return a scale that ends at a round number; one of percentages may start at 50, 80, 90 or 99 %, others at 0."""
    values = [value for line in chart.lines for value in line.values if value is not None]
    if chart.unit == "percent":
        lowest = min(values, default=0.0)
        return AxisScale(max((low for low in (0.0, 0.5, 0.8, 0.9, 0.99) if low < lowest), default=0.0), 1.0)
    if chart.kind == "bars":
        steps = zip(*(line.values for line in chart.lines), strict=True)
        values = [sum(value or 0 for value in step) for step in steps]
    highest = max(values, default=0.0)
    if highest <= 0:
        return AxisScale(0.0, 1.0)
    power = 10.0 ** math.floor(math.log10(highest))
    return AxisScale(0.0, next(factor * power for factor in ROUND_FACTORS if factor * power >= highest * (1 - 1e-9)))


def render_chart_svg(chart: Chart, description: str) -> SafeString:
    """Return the `<svg>` of a chart that is not empty."""
    root = Element(
        "svg",
        {
            "class": "chart-svg",
            "viewBox": f"0 0 {SVG_WIDTH} {SVG_HEIGHT}",
            "preserveAspectRatio": "none",
            "role": "img",
            "focusable": "false",
            "aria-labelledby": f"{chart.name}-title {chart.name}-description",
        },
    )
    SubElement(root, "title", {"id": f"{chart.name}-title"}).text = chart.title
    SubElement(root, "desc", {"id": f"{chart.name}-description"}).text = description
    for part in range(5):
        y = str(SVG_HEIGHT * part / 4)
        SubElement(root, "line", {"class": "chart-grid", "x1": "0", "x2": str(SVG_WIDTH), "y1": y, "y2": y})
    scale = compute_scale(chart)
    if chart.kind == "bars":
        _draw_bars(root, chart, scale)
    else:
        for number, line in enumerate(chart.lines):
            _draw_line(root, line, number, scale)
    _draw_tooltips(root, chart)
    return mark_safe(tostring(root, encoding="unicode"))  # ElementTree escapes text and attributes


def _to_x(step: float, steps: int) -> float:
    return round(step / steps * SVG_WIDTH, 2)


def _draw_line(root: Element, line: ChartLine, number: int, scale: AxisScale) -> None:
    """Draw a path with gaps where there is no value; a value between two gaps is a dot."""
    steps = len(line.values)
    path, dots = [], []
    for is_known, group in groupby(enumerate(line.values), key=lambda pair: pair[1] is not None):
        points = [f"{_to_x(step + 0.5, steps)} {scale.to_y(value)}" for step, value in group if value is not None]
        if is_known:
            path.append("M" + "L".join(points))
            dots += [f"M{point}h0" for point in points if len(points) == 1]
    SubElement(root, "path", {"class": f"chart-line series-{number}", "d": "".join(path)})
    if dots:
        SubElement(root, "path", {"class": f"chart-line chart-dot series-{number}", "d": "".join(dots)})


def _draw_bars(root: Element, chart: Chart, scale: AxisScale) -> None:
    steps = len(chart.edges) - 1
    for step in range(steps):
        base = 0.0
        for number, line in enumerate(chart.lines):
            value = line.values[step] or 0.0
            if value > 0:
                top, bottom = scale.to_y(base + value), scale.to_y(base)
                SubElement(
                    root,
                    "rect",
                    {
                        "class": f"chart-bar series-{number}",
                        "x": str(_to_x(step + BAR_GAP_RATIO / 2, steps)),
                        "width": str(_to_x(1 - BAR_GAP_RATIO, steps)),
                        "y": str(top),
                        "height": str(round(bottom - top, 2)),
                    },
                )
            base += value


def _draw_tooltips(root: Element, chart: Chart) -> None:
    """Draw an invisible rectangle with a tooltip over each step."""
    steps = len(chart.edges) - 1
    for step in range(steps):
        box = {
            "class": "chart-hover",
            "x": str(_to_x(step, steps)),
            "width": str(_to_x(1, steps)),
            "y": "0",
            "height": str(SVG_HEIGHT),
        }
        texts = [f"{line.label} {format_figure(line.values[step], chart.unit)}" for line in chart.lines]
        title = SubElement(SubElement(root, "rect", box), "title")
        title.text = f"{format_moment(chart.edges[step + 1], is_long=True)} · {' · '.join(texts)}"
