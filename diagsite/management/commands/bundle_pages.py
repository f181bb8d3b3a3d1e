from typing import Any

from django.core.management.base import BaseCommand, CommandError

from diagsite.web.bundles import BundlingFailed, build_bundles


class Command(BaseCommand):
    """Bundle the scripts and styles of the pages."""

    help = "Bundle the scripts and styles of each page into var/bundles. Without them pages load every file by itself."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Bundle and print how many pages."""
        try:
            pages = build_bundles()
        except BundlingFailed as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] > 1:
            self.stdout.write(f"{len(pages)} pages bundled")
