"""Carries an answer's bytes to the caller and says what they came to."""
