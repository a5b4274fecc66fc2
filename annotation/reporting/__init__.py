"""What managers read: reports, agreement, signs of care, and a project as it runs."""
