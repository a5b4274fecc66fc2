"""`manage.py subscribe_prolific`: have Prolific tell this site of changes, by webhooks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks.platforms import PlatformError
from tasks.platforms.prolific import Prolific


class Command(BaseCommand):
    help = (
        "Subscribe this site to Prolific's webhooks and print the secret that signs them. A "
        "workspace has one secret: a new one ends the former, so those who use it must change too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--end", action="store_true", help="end this site's subscriptions")

    def handle(self, *, end: bool, **options: Any) -> None:
        try:
            if end:
                ended = Prolific().unsubscribe()
                self.stdout.write(f"Subscriptions ended: {ended}.")
                return
            secret = Prolific().subscribe()
        except PlatformError as error:
            raise CommandError(f"{error}.") from error
        self.stdout.write(f"PROLIFIC_WEBHOOK_SECRET={secret}")
        self.stderr.write("Put this line into the settings and start the site anew.")
