"""`manage.py encrypt_channels`: the channels' secrets under the newest key, after a key was changed."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring.delivery.channel_secrets import reencrypt_secrets
from monitoring.exceptions import SecretsDecryptionFailed
from monitoring.models import Channel

EXAMPLES = """
examples:
  manage.py encrypt_channels --dry-run   which channels can be decrypted; changes nothing
  manage.py encrypt_channels             encrypt all of them with the newest key

Change SECRET_KEY or ALERT_SECRETS_KEY, keep the old value (SECRET_KEY_FALLBACKS, or ALERT_SECRETS_KEY=new,old), run
this, then drop the old value.
"""


class Command(BaseCommand):
    """Encrypt again."""

    help = "Encrypt the channels' addresses and keys again, with the newest key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Only the dry run."""
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = EXAMPLES
        parser.add_argument("--dry-run", action="store_true", help="say which can be decrypted, and change nothing")

    def handle(self, *arguments: Any, **options: Any) -> None:
        """One line a channel that is lost, one in all."""
        undecryptable, count = [], 0
        for channel in Channel.objects.exclude(secrets=""):
            try:
                secrets = reencrypt_secrets(channel.secrets)
            except SecretsDecryptionFailed:
                undecryptable.append(channel.name)
                continue
            count += 1
            if not options["dry_run"]:
                # Not over what somebody has saved meanwhile.
                Channel.objects.filter(pk=channel.pk, secrets=channel.secrets).update(secrets=secrets)
        self.stdout.write(f"{count} channels {'can be' if options['dry_run'] else 'were'} encrypted again")
        if undecryptable:
            raise CommandError(f"no key fits these, enter their addresses again: {', '.join(undecryptable)}")
