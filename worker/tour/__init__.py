"""What a newcomer sees: a demo worker (demo), sample bodies (samples), the story that they tell (story), texts (texts)."""
