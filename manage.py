#!/usr/bin/env python
"""Django's command line for CLIME."""

import os
import sys

from django.core.management import execute_from_command_line

from clime_project.supervision import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clime_project.settings")
    execute_from_command_line(sys.argv)
