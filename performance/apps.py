from django.apps import AppConfig


class PerformanceConfig(AppConfig):
    """How much runs at once, how often, how fresh."""

    name = "performance"
    verbose_name = "性能"
