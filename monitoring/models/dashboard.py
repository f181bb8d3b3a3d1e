"""The dashboard's place in the admin: a page among those of the models, without a table."""

from monitoring.models.samples import Sample


class Dashboard(Sample):
    """Stored nowhere. Whoever is staff may see it, so it has no permissions."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = verbose_name_plural = "监控面板"
