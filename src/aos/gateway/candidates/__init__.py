"""Which providers may serve a call, and the most that each can cost."""
