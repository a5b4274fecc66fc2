"""The subcommands of `python -m models_ml`; no Django here, and torch only where it is needed."""
