"""Work offered to people: projects, HITs, assignments, and the platforms that bring annotators."""
