from django.apps import AppConfig


class DiagnosisConfig(AppConfig):
    """The job: platforms, questions, answers, the run, the report."""

    name = "diagnosis"
    verbose_name = "品牌诊断"
