"""The scanner for agent skills and the ClawHub client. Empty until the first scan is built."""
