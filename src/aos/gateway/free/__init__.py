"""What costs nothing: listing models, counting tokens, reading what a provider keeps."""
