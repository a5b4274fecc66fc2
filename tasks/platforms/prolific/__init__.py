"""Prolific: all that the product knows of it. So far its API alone; nothing calls it yet."""
