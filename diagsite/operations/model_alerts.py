"""Alerts of models that have disappeared or changed, once a week and after each deployment's preflight."""

from django.conf import settings

from diagnosis.platforms.model_check import ModelProblem, find_model_problems
from monitoring.alerts.lifecycle import fire_alert, resolve_alert
from monitoring.models import Alert
from monitoring.models.rules import AlertSeverity

MODEL_ALERT_NAME = "platform_model"
_RUNBOOK_PATH = f"/admin/monitoring/rule/runbooks/{MODEL_ALERT_NAME}/"


def check_models() -> list[ModelProblem]:
    """Check the models; open an alert for each problem, and resolve those that are gone. Returns the problems."""
    problems = find_model_problems()
    fingerprints = {f"{MODEL_ALERT_NAME}:{problem.platform.pk}" for problem in problems}
    for alert in Alert.objects.open().filter(rule_name=MODEL_ALERT_NAME, source=Alert.Source.CODE):
        if alert.fingerprint not in fingerprints:
            resolve_alert(alert, text="模型检查不再发现问题")
    for problem in problems:
        fire_alert(
            fingerprint=f"{MODEL_ALERT_NAME}:{problem.platform.pk}",
            title=f"模型{'消失' if problem.is_missing else '变化'}：{problem.platform.name}",
            severity=AlertSeverity.ERROR if problem.is_missing else AlertSeverity.WARNING,
            source=Alert.Source.CODE,
            rule_name=MODEL_ALERT_NAME,
            labels={"platform": problem.platform.pk, "reason": "missing" if problem.is_missing else "changed"},
            summary=f"{problem.text}。到后台“AI 平台”核对模型；改动会开始一组新的测量",
            runbook_url=f"{settings.SITE_URL}{_RUNBOOK_PATH}",
        )
    return problems
