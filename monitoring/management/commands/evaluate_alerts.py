"""Evaluate the alert rules by hand, or ask what they make of a moment."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from monitoring.models import Rule
from monitoring.rules.evaluator import EvaluationResult, evaluate_rules, run_evaluation
from monitoring.rules.explanations import REASON_TEXTS_EN, format_rule_value
from monitoring.rules.rule_query import get_measurement_fields
from monitoring.samples.queries import SAMPLE_DELAY

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
        now = _parse_time(options["at"]) if options["at"] else timezone.now()
        if options["at"] and not options["dry_run"] and now < timezone.now() - SAMPLE_DELAY:
            raise CommandError("a time in the past can only be looked at: add --dry-run")
        results = (
            evaluate_rules(Rule.objects.filter(is_enabled=True), now) if options["dry_run"] else run_evaluation(now)
        )
        if options["json"]:
            rows = [_build_json_row(one) for one in results]
            self.stdout.write(json.dumps(rows, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
        else:
            self._print(results, is_dry=options["dry_run"])
        if any(one.error for one in results):
            raise CommandError("a rule could not be evaluated", returncode=1)

    def _print(self, results: list[EvaluationResult], *, is_dry: bool) -> None:
        width = max((len(one.rule.name) for one in results), default=0)
        for one in results:
            self.stdout.write(f"{one.rule.name:<{width}}  {format_result_line(one)}")
        if not results:
            without = "no rule is enabled; `manage.py seed` adds the usual ones"
            self.stdout.write(
                without if is_dry else "every rule has been evaluated already in these 15 s, or none is on"
            )


def format_result_line(result: EvaluationResult) -> str:
    """Value, interval, samples, window, state and why."""
    decision, rule = result.decision, result.rule
    if decision is None:
        return f"failed: {result.error!r}"
    measurement = decision.measurement
    value, threshold, low, high = (
        format_rule_value(rule.kind, one, rule.metric)
        for one in (measurement.value, rule.threshold, measurement.low, measurement.high)
    )
    parts = [f"{value} {rule.comparison} {threshold}?"]
    if rule.kind != "gauge":
        parts += [f"[{low}, {high}]"] if measurement.low is not None else []
        parts += [f"n={measurement.denominator or 0:g} in {measurement.window_seconds} s"]
    action = f" -> {decision.action}" if decision.action != "nothing" else ""
    return f"{'  '.join(parts)}  {decision.new_state.state}: {REASON_TEXTS_EN[decision.reason]}{action}"


def _build_json_row(result: EvaluationResult) -> dict[str, Any]:
    decision, rule = result.decision, result.rule
    row: dict[str, Any] = {"rule": rule.name, "kind": rule.kind, "comparison": rule.comparison}
    row["threshold"] = rule.threshold
    if decision is None:
        return {**row, "state": "failed", "error": repr(result.error)}
    return {
        **row,
        **get_measurement_fields(decision.measurement),
        "state": decision.new_state.state,
        "since": decision.new_state.since,
        "action": decision.action,
        "why": decision.reason,
        "text": format_result_line(result),
    }


def _parse_time(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is not a time; write it like '2026-02-27 03:10'")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
