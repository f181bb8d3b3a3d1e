from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from procrastinate.contrib.django.apps import ProcrastinateConfig


class DiagsiteConfig(AppConfig):
    """The app that joins all others."""

    default = True
    name = "diagsite"
    verbose_name = "站点"


class SignInsConfig(AxesConfig):  # type: ignore[misc]
    """django-axes, with a readable name in the admin."""

    verbose_name = "登录保护"


class JobsConfig(ProcrastinateConfig):
    """procrastinate, with a readable name in the admin."""

    verbose_name = "后台任务"
