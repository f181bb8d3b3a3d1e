from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from procrastinate.contrib.django.apps import ProcrastinateConfig


class DiagsiteConfig(AppConfig):
    """The room that joins the apps."""

    default = True
    name = "diagsite"
    verbose_name = "站点"


class SignInsConfig(AxesConfig):  # type: ignore[misc]
    """django-axes, under a name that operators read."""

    verbose_name = "登录保护"


class JobsConfig(ProcrastinateConfig):
    """procrastinate, under a name that operators read."""

    verbose_name = "后台任务"
