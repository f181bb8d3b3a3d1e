"""The dashboard's entry in the admin: a proxy model without a table of its own."""

from monitoring.models.samples import Sample


class Dashboard(Sample):
    """Visible to all staff, so it has no permissions."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = verbose_name_plural = "监控面板"
