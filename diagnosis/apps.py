from django.apps import AppConfig


class DiagnosisConfig(AppConfig):
    """Diagnoses: platforms, questions, answers, runs, reports."""

    name = "diagnosis"
    verbose_name = "品牌诊断"
