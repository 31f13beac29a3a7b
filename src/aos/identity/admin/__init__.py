"""The admin key that a start makes, so that a fresh home can be used at all."""
