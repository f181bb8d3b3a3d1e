import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from errors.management.base import SiteCommand, parse_time_option
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.models import Rule
from monitoring.rules.decision import AlertAction
from monitoring.rules.evaluator import EvaluationResult, evaluate_rules, run_evaluation
from monitoring.rules.explanations import REASON_TEXTS, format_rule_value
from monitoring.samples.queries import SAMPLE_DELAY


class Command(SiteCommand):
    help = gettext_lazy("""\
计算告警规则，每条规则用一行说明：数值、区间、样本数、窗口、状态、原因。
不加 --apply 时不做改动，也不发送。""")
    examples = gettext_lazy("""\
示例：
  # 每条规则现在的结果；不做改动，也不发送
  manage.py evaluate_alerts

  # 与每 15 秒运行的定时任务一样：存储状态，触发和解除告警
  manage.py evaluate_alerts --apply

  # 昨晚的样本，从现在的状态开始
  manage.py evaluate_alerts --at '2026-02-27 03:10'

  # 供脚本使用
  manage.py evaluate_alerts --json | jq '.[] | select(.state == "firing")'

没有时区的时间按网站的时区。只用该时刻 30 秒之前的样本，那时样本已全部存好。
同一时刻已经计算过的规则不会再算，所以过去的 --at 不能与 --apply 同用。
""")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the time, --apply and the output format."""
        parser.add_argument("--at", metavar="TIME", help=_("按这个时刻计算，而不是现在，如 '2026-02-27 03:10'"))
        parser.add_argument("--apply", action="store_true", help=_("存储状态，触发和解除告警"))
        parser.add_argument("--json", action="store_true", help=_("打印对象的列表，而不是逐行文字"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate and print; exit code 1 if a rule could not be evaluated."""
        now = parse_time_option(options["at"]) if options["at"] else timezone.now()
        if options["at"] and options["apply"] and now < timezone.now() - SAMPLE_DELAY:
            raise CommandError(_("过去的时刻只能在不加 --apply 时计算"))
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
            self.stdout.write(_("这 15 秒内每条规则都已计算，或没有启用任何规则"))
        else:
            self.stdout.write(_("没有启用任何规则；`manage.py seed` 会添加默认规则"))
        if any(result.error for result in results):
            raise CommandError(_("有规则无法计算"), returncode=1)


def format_result_line(result: EvaluationResult) -> str:
    """Return value, interval, samples, window, state and reason."""
    decision, rule = result.decision, result.rule
    if decision is None:
        return _("失败：%(error)r") % {"error": result.error}
    measurement = decision.measurement
    value, threshold, low, high = (
        format_rule_value(rule.kind, number, rule.metric)
        for number in (measurement.value, rule.threshold, measurement.low, measurement.high)
    )
    parts = [f"{value} {rule.comparison} {threshold}?"]
    if rule.kind != Rule.Kind.GAUGE:
        parts += [f"[{low}, {high}]"] if measurement.low is not None else []
        parts += [
            _("%(seconds)d 秒内 n=%(count)g")
            % {"count": measurement.denominator or 0, "seconds": measurement.window_seconds}
        ]
    action = f" -> {decision.action}" if decision.action is not AlertAction.NOTHING else ""
    return f"{'  '.join(parts)}  {decision.new_state.state}: {_(REASON_TEXTS[decision.reason])}{action}"
