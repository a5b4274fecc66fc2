"""How static files are named and kept."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Compressed, named by their content, so that browsers keep them; modules that import too."""

    support_js_module_import_aggregation = True
