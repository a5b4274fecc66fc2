"""Paid platforms as local servers that real clients talk to."""
