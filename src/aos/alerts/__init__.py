"""Telling people: channels and delivery. Empty until the first alert is built."""
