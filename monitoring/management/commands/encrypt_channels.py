from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from monitoring.delivery.channel_secrets import reencrypt_secrets
from monitoring.exceptions import SecretsDecryptionFailed
from monitoring.management.base import ExamplesCommand
from monitoring.models import Channel


class Command(ExamplesCommand):
    help = (
        "Encrypt the channels' URLs and keys with the newest key, after a key change. "
        "Without --apply it changes nothing."
    )
    examples = """
examples:
  manage.py encrypt_channels           check which channels can be decrypted; changes nothing
  manage.py encrypt_channels --apply   encrypt all of them with the newest key

Change SECRET_KEY or ALERT_SECRETS_KEY, keep the old value (SECRET_KEY_FALLBACKS, or ALERT_SECRETS_KEY=new,old), run
this command with --apply, then remove the old value.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply."""
        parser.add_argument("--apply", action="store_true", help="encrypt")

    def handle(self, *args: Any, **options: Any) -> None:
        """Encrypt. Raises CommandError if channels cannot be decrypted, after all others are encrypted."""
        undecryptable, count = [], 0
        for channel in Channel.objects.exclude(secrets=""):
            try:
                secrets = reencrypt_secrets(channel.secrets)
            except SecretsDecryptionFailed:
                undecryptable.append(channel.name)
                continue
            count += 1
            if options["apply"]:
                # Conditional, so that secrets entered meanwhile are not overwritten.
                Channel.objects.filter(pk=channel.pk, secrets=channel.secrets).update(secrets=secrets)
        self.stdout.write(f"{count} channels {'were' if options['apply'] else 'can be'} encrypted again")
        if not options["apply"]:
            self.stdout.write("nothing was changed; --apply encrypts them")
        if undecryptable:
            raise CommandError(f"no key fits these, enter their addresses again: {', '.join(undecryptable)}")
