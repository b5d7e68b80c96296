"""What a newcomer sees: a demo worker (demo), sample bodies (samples), and the story that they tell (story)."""
