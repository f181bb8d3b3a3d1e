from django.apps import AppConfig


class DiagsiteConfig(AppConfig):
    """The room that joins the apps."""

    name = "diagsite"
    verbose_name = "站点"
