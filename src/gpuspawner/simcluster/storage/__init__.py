"""What the API server keeps: objects, their versions and history, and how they are admitted."""
