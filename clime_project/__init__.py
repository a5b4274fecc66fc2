"""The CLIME site: settings, addresses, and the pipeline that joins the apps."""
