"""Do the intervals cover what they promise? Panels are simulated whose truth is known."""

import numpy
from numpy.typing import NDArray

from bench.figures import Figure
from diagnosis.bootstrap import share_intervals
from diagnosis.figures import wilson_interval

PANELS = 2000
SEED = 20_240_607

BRANDS, QUESTIONS, ANSWERS = 4, 20, 6
WEIGHTS = (0.5, 0.4, 0.25, 0.15)  # how often a brand is named, over all questions
TOGETHER = 3.0  # the smaller, the more the answers to one question are alike


def measure_wilson(panels: int = PANELS) -> Figure:
    """Wilson's interval on 30 to 120 independent answers, brands named by 5 to 95 % of them."""
    chance = numpy.random.default_rng(SEED)
    covered = 0
    for _ in range(panels):
        answers, truth = int(chance.integers(30, 121)), float(chance.uniform(0.05, 0.95))
        interval = wilson_interval(int(chance.binomial(answers, truth)), answers)
        covered += interval is not None and interval[0] <= truth <= interval[1]
    return _covers("mention rate: Wilson, >= 30 independent answers", covered / panels, 0.93, 0.97)


def measure_bootstrap(panels: int = PANELS) -> Figure:
    """The bootstrap over 20 questions of six answers that hang together within a question."""
    chance = numpy.random.default_rng(SEED)
    truth = WEIGHTS[0] / sum(WEIGHTS)
    covered = 0
    for number in range(panels):
        interval = share_intervals(simulate_voices(chance).tolist(), number)[0]
        covered += interval is not None and interval[0] <= truth <= interval[1]
    return _covers("share of voice: bootstrap, 20 questions", covered / panels, 0.90, 0.97)


def simulate_voices(chance: numpy.random.Generator) -> NDArray[numpy.int64]:
    """One row a question, one column a brand: each question has its own chance of naming it, then six answers draw."""
    weights = numpy.asarray(WEIGHTS)
    of_question = chance.beta(weights * TOGETHER, (1 - weights) * TOGETHER, size=(QUESTIONS, BRANDS))
    return chance.binomial(ANSWERS, of_question)


def _covers(name: str, share: float, low: float, high: float) -> Figure:
    return Figure(f"coverage of 95 % intervals, {name}", f"{low:.0%}-{high:.0%}", f"{share:.1%}", low <= share <= high)
