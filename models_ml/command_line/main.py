"""How a subcommand is found and run, and how it ends."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from models_ml.command_line.parser import build_parser

REFUSED = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count
READER_GONE = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status of a subcommand: 2, after one line on stderr, for bad input."""
    options = build_parser().parse_args(arguments)
    try:
        # Torch takes a second to load, so the subcommands that need it are a module of their own.
        commands = import_module(f"models_ml.command_line.{options.module}")
        run: Callable[[argparse.Namespace], None] = commands.COMMANDS[options.command]
        run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output, `head` for one, has gone; the interpreter's last flush must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, OSError) as error:
        print("error:", " ".join(str(error).splitlines()), file=sys.stderr)
        return REFUSED
    return 0
