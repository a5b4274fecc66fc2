"""What annotators see and answer: sessions, judgements, document labels, and their pages."""
