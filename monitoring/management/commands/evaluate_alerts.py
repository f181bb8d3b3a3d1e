import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from monitoring.management.base import ExamplesCommand, parse_time_option
from monitoring.models import Rule
from monitoring.rules.decision import AlertAction
from monitoring.rules.evaluator import EvaluationResult, evaluate_rules, run_evaluation
from monitoring.rules.explanations import REASON_TEXTS_EN, format_rule_value
from monitoring.samples.queries import SAMPLE_DELAY


class Command(ExamplesCommand):
    help = (
        "Evaluate the alert rules and explain each in a line: value, interval, samples, window, state, reason. "
        "Without --apply it changes and sends nothing."
    )
    examples = """\
examples:
  # what each rule sees now; changes and sends nothing
  manage.py evaluate_alerts

  # evaluate as the periodic job does every 15 s: store the states, fire and resolve alerts
  manage.py evaluate_alerts --apply

  # the samples of last night, starting from the current states
  manage.py evaluate_alerts --at '2026-02-27 03:10'

  # for scripts
  manage.py evaluate_alerts --json | jq '.[] | select(.state == "firing")'

A time without a zone is in the site's time zone. Samples are used up to 30 s before the time, when all are stored.
A rule that was already evaluated for that time is not evaluated again, so --at in the past excludes --apply.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the time, --apply and the output format."""
        parser.add_argument("--at", metavar="TIME", help="as of this time instead of now, such as '2026-02-27 03:10'")
        parser.add_argument("--apply", action="store_true", help="store the states, fire and resolve alerts")
        parser.add_argument("--json", action="store_true", help="print a list of objects instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate and print; exit code 1 if a rule could not be evaluated."""
        now = parse_time_option(options["at"]) if options["at"] else timezone.now()
        if options["at"] and options["apply"] and now < timezone.now() - SAMPLE_DELAY:
            raise CommandError("a time in the past can only be evaluated without --apply")
        enabled_rules = Rule.objects.filter(is_enabled=True)
        results = run_evaluation(now) if options["apply"] else evaluate_rules(enabled_rules, now)
        if options["json"]:
            rows = [
                {**result.to_dict(), **({"text": format_result_line(result)} if result.decision else {})}
                for result in results
            ]
            self.stdout.write(json.dumps(rows, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
        elif results:
            width = max(len(result.rule.name) for result in results)
            for result in results:
                self.stdout.write(f"{result.rule.name:<{width}}  {format_result_line(result)}")
        elif options["apply"]:
            self.stdout.write("every rule has already been evaluated in these 15 s, or none is enabled")
        else:
            self.stdout.write("no rule is enabled; `manage.py seed` adds the default ones")
        if any(result.error for result in results):
            raise CommandError("a rule could not be evaluated", returncode=1)


def format_result_line(result: EvaluationResult) -> str:
    """Return value, interval, samples, window, state and reason."""
    decision, rule = result.decision, result.rule
    if decision is None:
        return f"failed: {result.error!r}"
    measurement = decision.measurement
    value, threshold, low, high = (
        format_rule_value(rule.kind, number, rule.metric)
        for number in (measurement.value, rule.threshold, measurement.low, measurement.high)
    )
    parts = [f"{value} {rule.comparison} {threshold}?"]
    if rule.kind != Rule.Kind.GAUGE:
        parts += [f"[{low}, {high}]"] if measurement.low is not None else []
        parts += [f"n={measurement.denominator or 0:g} in {measurement.window_seconds} s"]
    action = f" -> {decision.action}" if decision.action is not AlertAction.NOTHING else ""
    return f"{'  '.join(parts)}  {decision.new_state.state}: {REASON_TEXTS_EN[decision.reason]}{action}"
