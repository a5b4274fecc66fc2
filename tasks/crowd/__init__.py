"""Work on crowd platforms: published, taken, followed, reviewed and paid.

Each file is one of these steps for all platforms; what differs between them is in tasks.platforms.
"""
