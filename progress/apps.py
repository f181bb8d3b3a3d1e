from django.apps import AppConfig


class ProgressConfig(AppConfig):
    """Ordered, durable event streams and the door through which they are pushed."""

    name = "progress"
    verbose_name = "进度推送"
