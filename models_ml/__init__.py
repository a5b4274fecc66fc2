"""Machine learning for CLIME: the numerical core and the Django app that stores its results."""
