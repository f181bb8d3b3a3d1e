"""Evaluate the alert rules by hand, or ask what they make of a moment."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from monitoring.conditions import measured_fields
from monitoring.evaluator import Outcome, evaluate, evaluate_now
from monitoring.explaining import ENGLISH, in_numbers
from monitoring.models import Rule
from monitoring.windows import DELAY

EXAMPLES = """\
examples:
  # evaluate now, as the periodic job does every 15 s, and say why each rule stands where it stands
  manage.py evaluate_alerts

  # the same without changing or telling anything
  manage.py evaluate_alerts --dry-run

  # what the samples of last night say, seen from where the rules stand today
  manage.py evaluate_alerts --at '2026-02-27 03:10' --dry-run

  # for scripts
  manage.py evaluate_alerts --dry-run --json | jq '.[] | select(.state == "firing")'

A time without a zone is in the site's time zone. Samples count up to 30 s before the time, when all are stored.
A rule that somebody has evaluated for that time already is not evaluated again, so --at in the past needs --dry-run.
"""


class Command(BaseCommand):
    """Explains every rule in a line."""

    help = "Evaluate the alert rules, and explain each in a line: value, interval, samples, window, state, why."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """When, and whether to do anything about it."""
        parser.add_argument("--at", metavar="TIME", help="as of this time instead of now, such as '2026-02-27 03:10'")
        parser.add_argument("--dry-run", action="store_true", help="change nothing, tell nobody")
        parser.add_argument("--json", action="store_true", help="print a list of objects instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate and print; exit code 1 when a rule could not be evaluated."""
        now = _time_of(options["at"]) if options["at"] else timezone.now()
        if options["at"] and not options["dry_run"] and now < timezone.now() - DELAY:
            raise CommandError("a time in the past can only be looked at: add --dry-run")
        outcomes = evaluate(Rule.objects.filter(is_enabled=True), now) if options["dry_run"] else evaluate_now(now)
        if options["json"]:
            rows = [_row_of(one) for one in outcomes]
            self.stdout.write(json.dumps(rows, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
        else:
            self._print(outcomes, is_dry=options["dry_run"])
        if any(one.error for one in outcomes):
            raise CommandError("a rule could not be evaluated", returncode=1)

    def _print(self, outcomes: list[Outcome], *, is_dry: bool) -> None:
        width = max((len(one.rule.name) for one in outcomes), default=0)
        for one in outcomes:
            self.stdout.write(f"{one.rule.name:<{width}}  {line_of(one)}")
        if not outcomes:
            without = "no rule is enabled; `manage.py seed` adds the usual ones"
            self.stdout.write(
                without if is_dry else "every rule has been evaluated already in these 15 s, or none is on"
            )


def line_of(outcome: Outcome) -> str:
    """Value, interval, samples, window, state and why."""
    decision, rule = outcome.decision, outcome.rule
    if decision is None:
        return f"failed: {outcome.error!r}"
    seen = decision.measured
    value, threshold, low, high = (
        in_numbers(rule.kind, one, rule.metric) for one in (seen.value, rule.threshold, seen.low, seen.high)
    )
    parts = [f"{value} {rule.comparison} {threshold}?"]
    if rule.kind != "gauge":
        parts += [f"[{low}, {high}]"] if seen.low is not None else []
        parts += [f"n={seen.denominator or 0:g} in {seen.window_seconds} s"]
    action = f" -> {decision.action}" if decision.action != "nothing" else ""
    return f"{'  '.join(parts)}  {decision.standing.state}: {ENGLISH[decision.why]}{action}"


def _row_of(outcome: Outcome) -> dict[str, Any]:
    decision, rule = outcome.decision, outcome.rule
    row: dict[str, Any] = {"rule": rule.name, "kind": rule.kind, "comparison": rule.comparison}
    row["threshold"] = rule.threshold
    if decision is None:
        return {**row, "state": "failed", "error": repr(outcome.error)}
    return {
        **row,
        **measured_fields(decision.measured),
        "state": decision.standing.state,
        "since": decision.standing.since,
        "action": decision.action,
        "why": decision.why,
        "text": line_of(outcome),
    }


def _time_of(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is not a time; write it like '2026-02-27 03:10'")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
