from typing import Any

from django.core.management.base import CommandError

from diagsite.web.bundles import BundlingFailed, build_bundles
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy


class Command(SiteCommand):
    """Bundle the scripts and styles of the pages."""

    help = gettext_lazy("把每个页面的脚本和样式合并到 var/bundles。不合并时，页面会逐个加载每个文件。")
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Bundle and print how many pages."""
        try:
            pages = build_bundles()
        except BundlingFailed as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] > 1:
            self.stdout.write(_("已合并 %(count)d 个页面") % {"count": len(pages)})
